import torch
import torch.nn as nn


class CenterHeatmapLoss(nn.Module):
    """Penalty-reduced pixel-wise focal loss for object centers.

    ``hm_logits`` is the raw output of the heat map head and ``gt`` the target
    with Gaussian peaks: 1 at an object center, below 1 around it. Both are
    (B, C, H, W). The loss is normalised by the number of centers.
    """

    def __init__(self, alpha=2, beta=4):
        super().__init__()
        self.alpha = alpha
        self.beta = beta

    def forward(self, hm_logits, gt):
        pred = torch.sigmoid(hm_logits)
        pos = gt.eq(1).to(pred.dtype)
        neg = gt.lt(1).to(pred.dtype)
        neg_weight = torch.pow(1 - gt, self.beta)

        pos_loss = torch.log(pred) * torch.pow(1 - pred, self.alpha) * pos
        neg_loss = torch.log(1 - pred) * torch.pow(pred, self.alpha) * neg_weight * neg

        num_pos = pos.sum().clamp(min=1.0)
        return -(pos_loss.sum() + neg_loss.sum()) / num_pos
