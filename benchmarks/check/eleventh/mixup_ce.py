import torch.nn.functional as F


def mixup_criterion(pred, y_a, y_b, lam):
    """Loss of mixup: inputs were mixed as lam * x_a + (1 - lam) * x_b.

    pred: (N, C) logits, y_a, y_b: (N,) class indices, lam in [0, 1]
    """
    return lam * F.cross_entropy(pred, y_a) + (1 - lam) * F.cross_entropy(pred, y_b)
