import torch
import torch.nn as nn
import torch.nn.functional as F


class OrganDice(nn.Module):
    """Multi-class soft Dice loss.

    Class probabilities are obtained with a softmax over the classes of each
    pixel. The Dice coefficient of every class is taken over the pixels of one
    image, and the loss is one minus its mean over classes and images.

    Args:
        num_classes (int): number of classes C, background included
        eps (float): added to numerator and denominator

    Shape:
        - logits: (N, C, H, W)
        - labels: (N, H, W), integers in [0, C)
    """

    def __init__(self, num_classes=4, eps=1e-5):
        super().__init__()
        self.num_classes = num_classes
        self.eps = eps

    def forward(self, logits, labels):
        probs = F.softmax(logits, dim=0)
        onehot = F.one_hot(labels, self.num_classes).permute(0, 3, 1, 2).to(probs.dtype)
        inter = (probs * onehot).sum(dim=(2, 3))
        denom = probs.sum(dim=(2, 3)) + onehot.sum(dim=(2, 3))
        score = (2 * inter + self.eps) / (denom + self.eps)
        return 1 - score.mean()
