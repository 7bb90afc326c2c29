import torch
import torch.nn as nn
import torch.nn.functional as F


class AsymmetricLoss(nn.Module):
    """multi-label ASL. x: logits (N, C), y: multi-hot (N, C)"""

    def __init__(self, gamma_neg=4, gamma_pos=1, clip=0.05, disable_torch_grad_focal_loss=True):
        super().__init__()
        self.gamma_neg = gamma_neg
        self.gamma_pos = gamma_pos
        self.clip = clip
        self.disable_torch_grad_focal_loss = disable_torch_grad_focal_loss

    def forward(self, x, y):
        y = y.to(x.dtype)
        xs_pos = torch.sigmoid(x)
        if self.clip is not None and self.clip > 0:
            xs_neg = (1 - xs_pos + self.clip).clamp(max=1)
            log_neg = torch.log(xs_neg)
        else:
            xs_neg = torch.sigmoid(-x)
            log_neg = F.logsigmoid(-x)

        loss = y * F.logsigmoid(x) + (1 - y) * log_neg

        if self.gamma_neg > 0 or self.gamma_pos > 0:
            # the focusing weight is treated as a constant by default, as in the paper's code
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self.disable_torch_grad_focal_loss):
                pt = xs_pos * y + xs_neg * (1 - y)
                gamma = self.gamma_pos * y + self.gamma_neg * (1 - y)
                w = torch.pow(1 - pt, gamma)
            loss = loss * w

        return -loss.sum()
