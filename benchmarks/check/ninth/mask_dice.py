import torch
import torch.nn as nn


class MaskDice(nn.Module):
    """Soft Dice loss for binary segmentation masks.

    The Dice coefficient is computed for every image and ``1 - dice`` is
    averaged over the batch. The loss is 0 for a perfect prediction, including
    an image without any foreground for which nothing is predicted.

    Args:
        smooth (float): smoothing constant of the ratio. Default: 1.0

    Shape:
        - logits: (N, 1, H, W), raw network outputs
        - masks: (N, 1, H, W), values in {0, 1}
    """

    def __init__(self, smooth=1.0):
        super().__init__()
        self.smooth = smooth

    def forward(self, logits, masks):
        probs = torch.sigmoid(logits).flatten(1)
        masks = masks.flatten(1).float()
        overlap = (probs * masks).sum(dim=1)
        total = probs.sum(dim=1) + masks.sum(dim=1)
        dice = 2.0 * overlap / (total + self.smooth)
        return (1.0 - dice).mean()
