import torch
import torch.nn as nn
import torch.nn.functional as F


class AsymmetricMultiLabelLoss(nn.Module):
    """Asymmetric loss for multi-label classification.

    Args:
        gamma_pos, gamma_neg: focusing of positives / negatives (0 or >= 1)
        clip: probability margin for the negatives, 0 switches it off
        detach_focus: treat the focusing weights as constants

    x: logits (N, C); y: {0, 1} (N, C). Summed over labels, averaged over samples.
    """

    def __init__(self, gamma_pos=1.0, gamma_neg=4.0, clip=0.0, detach_focus=False):
        super().__init__()
        self.gamma_pos, self.gamma_neg = gamma_pos, gamma_neg
        self.clip = clip
        self.detach_focus = detach_focus

    def forward(self, x, y):
        y = y.to(x.dtype)
        p = torch.sigmoid(x)
        log_pos = F.logsigmoid(x)
        if self.clip > 0:
            p_neg = (p - self.clip).clamp(min=0)
            log_neg = torch.log1p(-p_neg)
        else:
            p_neg = p
            log_neg = F.logsigmoid(-x)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.detach_focus):
            w_pos = (1 - p) ** self.gamma_pos
            w_neg = p_neg ** self.gamma_neg
        loss = -(y * w_pos * log_pos + (1 - y) * w_neg * log_neg)
        return loss.sum(dim=1).mean()
