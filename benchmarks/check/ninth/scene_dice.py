import torch
import torch.nn as nn
import torch.nn.functional as F


class SceneDice(nn.Module):
    """Dice loss for street scenes with void pixels.

    The sums run over all the pixels of the batch that are not void, and only
    the classes that occur in the labels are averaged. A batch of nothing but
    void pixels gives 0.

    Args:
        void (int): label to leave out. Default: 255
        eps (float): guard of the division

    Shape:
        - scores: (N, C, H, W) logits
        - labels: (N, H, W)
    """

    def __init__(self, void=255, eps=1e-6):
        super().__init__()
        self.void = void
        self.eps = eps

    def forward(self, scores, labels):
        c = scores.size(1)
        keep = (labels != self.void).reshape(-1)
        p = F.softmax(scores, dim=1).movedim(1, -1).reshape(-1, c)[keep]
        y = F.one_hot(labels.reshape(-1)[keep].long(), c).to(p.dtype)
        present = y.sum(0) > 0
        dice = 2 * (p * y).sum(0) / (p.sum(0) + y.sum(0) + self.eps)
        n = present.sum().clamp(min=1)
        return ((1 - dice) * present).sum() / n
