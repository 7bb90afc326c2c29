import torch
import torch.nn as nn
import torch.nn.functional as F


class MultiClassDiceLoss(nn.Module):
    """Soft Dice loss for semantic segmentation with void pixels.

    The Dice coefficient is computed for each image and class from the softmax
    probabilities, and one minus the average over images and classes is
    returned.

    Args:
        ignore_index: label of pixels that are excluded from all sums.
        smooth: added to numerator and denominator, so a class that is neither
            predicted nor present scores 1.

    Shape:
        - logits: (N, C, H, W)
        - labels: (N, H, W) in [0, C) or ignore_index
    """

    def __init__(self, ignore_index: int = 255, smooth: float = 1.0):
        super().__init__()
        self.ignore_index = ignore_index
        self.smooth = smooth

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        valid = labels != self.ignore_index
        safe = labels.masked_fill(~valid, 0)
        onehot = F.one_hot(safe, logits.shape[1]).movedim(-1, 1)

        m = valid.unsqueeze(1).to(logits.dtype)
        p = F.softmax(logits, dim=1) * m
        t = onehot.to(logits.dtype) * m

        overlap = (p * t).flatten(2).sum(-1)
        cardinality = (p + t).flatten(2).sum(-1)
        dice = (2 * overlap + self.smooth) / (cardinality + self.smooth)
        return 1 - dice.mean()
