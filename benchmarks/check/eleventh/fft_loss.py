import torch
import torch.nn as nn


class FFTLoss(nn.Module):
    def __init__(self, loss_weight=0.1):
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, pred, target):
        pred_fft = torch.view_as_real(torch.fft.rfft2(pred))
        target_fft = torch.view_as_real(torch.fft.rfft2(target))
        return self.loss_weight * (pred_fft - target_fft).abs().mean()
