import torch
import torch.nn as nn
import torch.nn.functional as F


class STFTMagnitudeLoss(nn.Module):
    """L1 distance of linear and log STFT magnitudes.

    Args:
        n_fft, hop_length: STFT resolution.
        eps: floor inside the logarithm.
    Waveforms are (B, T) in [-1, 1]; utterances are padded with zeros to the
    longest one of the batch.
    """

    def __init__(self, n_fft=256, hop_length=64, eps=1e-5):
        super().__init__()
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.eps = eps
        self.register_buffer("window", torch.hann_window(n_fft))

    def magnitude(self, x):
        spec = torch.stft(
            x, self.n_fft, self.hop_length, window=self.window.to(x.dtype), return_complex=True
        )
        spec = torch.view_as_real(spec)
        return torch.sqrt(spec.pow(2).sum(-1))

    def forward(self, pred, target):
        mag_p, mag_t = self.magnitude(pred), self.magnitude(target)
        lin = F.l1_loss(mag_p, mag_t)
        log = F.l1_loss(torch.log(mag_p + self.eps), torch.log(mag_t + self.eps))
        return lin + log
