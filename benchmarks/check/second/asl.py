import torch
import torch.nn as nn
import torch.nn.functional as F


class AsymmetricLoss(nn.Module):
    def __init__(self, gamma_neg=4, gamma_pos=1, disable_torch_grad_focal_loss=True):
        super().__init__()
        self.gamma_neg = gamma_neg
        self.gamma_pos = gamma_pos
        self.disable_torch_grad_focal_loss = disable_torch_grad_focal_loss

    def forward(self, x, y):
        y = y.to(x.dtype)
        p = torch.sigmoid(x)
        loss = y * F.logsigmoid(x) + (1 - y) * F.logsigmoid(-x)

        if self.disable_torch_grad_focal_loss:
            torch.set_grad_enabled(False)
        pt = p * y + (1 - p) * (1 - y)
        gamma = self.gamma_pos * y + self.gamma_neg * (1 - y)
        weight = torch.pow(1 - pt, gamma)
        if self.disable_torch_grad_focal_loss:
            torch.set_grad_enabled(True)

        return -(loss * weight).sum() / x.size(0)
