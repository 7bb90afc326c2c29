import torch
import torch.nn as nn
import torch.nn.functional as F


class MultiResolutionSTFTLoss(nn.Module):
    """Spectral convergence and log magnitude loss at several resolutions.

    Args:
        resolutions: (n_fft, hop) pairs.
        power_floor: added to the power spectrum.
    x (prediction) and y (target) are waveforms (B, T).
    """

    def __init__(self, resolutions=((256, 64), (512, 128), (128, 32)), power_floor=1e-7):
        super().__init__()
        self.resolutions = resolutions
        self.power_floor = power_floor
        for n_fft, _ in resolutions:
            self.register_buffer("win%d" % n_fft, torch.hann_window(n_fft))

    def magnitude(self, x, n_fft, hop):
        window = getattr(self, "win%d" % n_fft).to(x.dtype)
        spec = torch.view_as_real(torch.stft(x, n_fft, hop, window=window, return_complex=True))
        return torch.sqrt(spec.pow(2).sum(-1) + self.power_floor)

    def forward(self, x, y):
        sc_loss, mag_loss = 0.0, 0.0
        for n_fft, hop in self.resolutions:
            mx, my = self.magnitude(x, n_fft, hop), self.magnitude(y, n_fft, hop)
            sc_loss = sc_loss + torch.norm(my - mx) / torch.norm(my)
            mag_loss = mag_loss + F.l1_loss(mx.log(), my.log())
        n = len(self.resolutions)
        return sc_loss / n, mag_loss / n
