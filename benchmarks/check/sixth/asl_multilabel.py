import torch
import torch.nn as nn
import torch.nn.functional as F


class AsymmetricLoss(nn.Module):
    """Asymmetric loss for multi-label tagging, see https://arxiv.org/abs/2009.14119

    Targets: 1 present, 0 absent, -1 not annotated (left out).
    """

    def __init__(self, gamma_neg=4, gamma_pos=1, clip=0.05, eps=1e-8, disable_torch_grad_focal_loss=True):
        super(AsymmetricLoss, self).__init__()
        self.gamma_neg = gamma_neg
        self.gamma_pos = gamma_pos
        self.clip = clip
        self.eps = eps
        self.disable_torch_grad_focal_loss = disable_torch_grad_focal_loss

    def forward(self, x, y):
        known = (y >= 0).to(x.dtype)
        y = y.clamp(min=0).to(x.dtype)

        xs_pos = torch.sigmoid(x)
        xs_neg = 1 - xs_pos

        # asymmetric clipping
        if self.clip is not None and self.clip > 0:
            xs_neg = (xs_neg + self.clip).clamp(max=1)

        los_pos = y * F.logsigmoid(x)
        los_neg = (1 - y) * torch.log(xs_neg.clamp(min=self.eps))
        loss = los_pos + los_neg

        # asymmetric focusing
        if self.gamma_neg > 0 or self.gamma_pos > 0:
            keep_grad = torch.is_grad_enabled() and not self.disable_torch_grad_focal_loss
            with torch.set_grad_enabled(keep_grad):
                pt = xs_pos * y + xs_neg * (1 - y)
                gamma = self.gamma_pos * y + self.gamma_neg * (1 - y)
                w = torch.pow((1 - pt).clamp(min=self.eps), gamma)
            loss = loss * w

        return -(loss * known).sum() / x.shape[0]
