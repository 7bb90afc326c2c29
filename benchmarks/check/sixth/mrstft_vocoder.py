import torch
import torch.nn as nn
import torch.nn.functional as F


def stft_magnitude(x, fft_size, hop_size, win_length, window):
    """Perform STFT and convert to magnitude spectrogram, (B, T) -> (B, frames, fft_size // 2 + 1)."""
    x_stft = torch.stft(x, fft_size, hop_size, win_length, window, return_complex=True)
    return torch.sqrt(x_stft.real.pow(2) + x_stft.imag.pow(2)).transpose(2, 1)


class STFTLoss(nn.Module):
    def __init__(self, fft_size=1024, shift_size=120, win_length=600):
        super().__init__()
        self.fft_size = fft_size
        self.shift_size = shift_size
        self.win_length = win_length
        self.register_buffer("window", torch.hann_window(win_length))

    def forward(self, x, y):
        x_mag = stft_magnitude(x, self.fft_size, self.shift_size, self.win_length, self.window)
        y_mag = stft_magnitude(y, self.fft_size, self.shift_size, self.win_length, self.window)
        sc_loss = torch.norm(y_mag - x_mag, p="fro") / torch.norm(y_mag, p="fro").clamp(min=1e-5)
        mag_loss = F.l1_loss(torch.log(y_mag.clamp(min=1e-5)), torch.log(x_mag.clamp(min=1e-5)))
        return sc_loss, mag_loss


class MultiResolutionSTFTLoss(nn.Module):
    """Multi resolution STFT loss (spectral convergence + log magnitude).

    Takes the generated and the recorded waveform, both (B, T). Shorter clips of the batch
    are zero padded at the end.
    """

    def __init__(self, fft_sizes=(512, 1024, 2048), hop_sizes=(50, 120, 240), win_lengths=(240, 600, 1200)):
        super().__init__()
        assert len(fft_sizes) == len(hop_sizes) == len(win_lengths)
        self.stft_losses = nn.ModuleList(
            [STFTLoss(fs, ss, wl) for fs, ss, wl in zip(fft_sizes, hop_sizes, win_lengths)])

    def forward(self, x, y):
        sc_loss = 0.0
        mag_loss = 0.0
        for f in self.stft_losses:
            sc_l, mag_l = f(x, y)
            sc_loss += sc_l
            mag_loss += mag_l
        return sc_loss / len(self.stft_losses), mag_loss / len(self.stft_losses)
