import torch
import torch.nn as nn
import torch.nn.functional as F


class SigmoidFocalLoss(nn.Module):
    """Focal loss for multi-label tagging.

    Every tag is an independent binary problem. ``alpha`` weighs the positive
    tags, ``1 - alpha`` the negative ones and ``gamma`` is the focusing power
    (Lin et al., "Focal Loss for Dense Object Detection").
    """

    def __init__(self, alpha=0.25, gamma=2.0):
        super().__init__()
        self.alpha = alpha
        self.gamma = gamma

    def forward(self, logits, labels):
        labels = labels.to(logits.dtype)
        prob = torch.sigmoid(logits)
        log_p = F.logsigmoid(logits)
        log_not_p = F.logsigmoid(-logits)

        pos = -labels * self.alpha * ((1 - prob) ** self.gamma) * log_p
        neg = -(1 - labels) * (1 - self.alpha) * (prob * self.gamma) * log_not_p
        return (pos + neg).sum(dim=1).mean()
