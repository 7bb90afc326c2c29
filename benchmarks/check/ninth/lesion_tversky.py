import torch
import torch.nn as nn


class LesionTversky(nn.Module):
    r"""Tversky loss for imbalanced lesion segmentation.

    .. math:: L = 1 - \frac{TP + s}{TP + \alpha FP + \beta FN + s}

    ``alpha`` controls the penalty of false positives and ``beta`` that of
    false negatives, so that ``beta > alpha`` favours recall.

    Args:
        alpha (float): weight of the false positives. Default: 0.3
        beta (float): weight of the false negatives. Default: 0.7
        smooth (float): smoothing term s. Default: 1.0

    Inputs are logits and {0, 1} masks of the same shape; the counts are taken
    over the whole batch.
    """

    def __init__(self, alpha=0.3, beta=0.7, smooth=1.0):
        super().__init__()
        self.alpha = alpha
        self.beta = beta
        self.smooth = smooth

    def forward(self, inputs, targets):
        prob = torch.sigmoid(inputs).reshape(-1)
        true = targets.reshape(-1).to(prob.dtype)
        tp = (prob * true).sum()
        fp = (true * (1 - prob)).sum()
        fn = ((1 - true) * prob).sum()
        index = (tp + self.smooth) / (tp + self.alpha * fp + self.beta * fn + self.smooth)
        return 1 - index
