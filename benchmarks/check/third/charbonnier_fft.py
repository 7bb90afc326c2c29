import torch
import torch.nn as nn


class CharbonnierFFTLoss(nn.Module):
    """Charbonnier in the image plus L1 between the 2-D spectra, for restoration nets"""

    def __init__(self, eps=1e-3, fft_weight=0.05, loss_weight=1.0, reduction='mean'):
        super(CharbonnierFFTLoss, self).__init__()
        if reduction not in ['mean', 'sum']:
            raise ValueError(f'Unsupported reduction mode: {reduction}.')
        self.eps = eps
        self.fft_weight = fft_weight
        self.loss_weight = loss_weight
        self.reduction = reduction

    def _reduce(self, x):
        return x.mean() if self.reduction == 'mean' else x.sum()

    def forward(self, x, y, **kwargs):
        diff = x - y
        loss = self._reduce(torch.sqrt(diff * diff + self.eps * self.eps))
        if self.fft_weight > 0:
            f = torch.view_as_real(torch.fft.rfft2(diff, norm='ortho'))
            loss = loss + self.fft_weight * self._reduce(f.abs())
        return self.loss_weight * loss
