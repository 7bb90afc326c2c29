import torch
import torch.nn as nn
import torch.nn.functional as F


class SegOverlapLoss(nn.Module):
    """Overlap loss for multi-class segmentation.

    Computes ``1 - Dice`` (default) or ``1 - Jaccard`` between the softmax
    probabilities and the one-hot encoded labels. The score is computed for
    every image and every class and then averaged. Dice is
    ``2|A n B| / (|A| + |B|)`` and Jaccard is ``|A n B| / |A u B|``.

    Args:
        jaccard: use the Jaccard index (soft IoU) instead of Dice.
        include_background: if False, channel 0 is left out of the score.
        smooth: small constant added to numerator and denominator.

    Shape:
        - logits: (N, C, H, W) raw scores
        - target: (N, H, W) integer labels
    """

    def __init__(self, jaccard: bool = False, include_background: bool = True, smooth: float = 1e-5):
        super().__init__()
        self.jaccard = jaccard
        self.include_background = include_background
        self.smooth = smooth

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        num_classes = logits.shape[1]
        probs = logits.softmax(dim=1)
        onehot = F.one_hot(target, num_classes).permute(0, 3, 1, 2).to(probs.dtype)
        if not self.include_background:
            probs, onehot = probs[:, 1:], onehot[:, 1:]

        intersection = (probs * onehot).sum(dim=(2, 3))
        denominator = probs.sum(dim=(2, 3)) + onehot.sum(dim=(2, 3))
        if self.jaccard:
            denominator = denominator - intersection
        score = (2.0 * intersection + self.smooth) / (denominator + self.smooth)
        return (1.0 - score).mean()
