import torch
import torch.nn as nn


class IoULoss(nn.Module):
    """Intersection over union loss for a 1D peak mask.

    inputs : probabilities (batch, length)
    targets: binary mask   (batch, length)
    """

    def __init__(self, thresh: float = 0.5, smooth: float = 1e-6):
        super().__init__()
        self.thresh = thresh
        self.smooth = smooth

    def forward(self, inputs, targets):
        preds = (inputs > self.thresh).float()
        b = targets.shape[0]
        inter = (preds * targets).view(b, -1).sum(-1)
        union = (preds + targets - preds * targets).view(b, -1).sum(-1)
        iou = (inter + self.smooth) / (union + self.smooth)
        loss = 1 - iou.mean()
        loss.requires_grad_(True)
        return loss
