import torch
import torch.nn.functional as F


def levels_from_labels(labels, num_classes):
    """Label 3 of 5 classes becomes [1, 1, 1, 0]."""
    ranks = torch.arange(num_classes - 1, device=labels.device)
    return (labels.unsqueeze(1) > ranks.unsqueeze(0)).float()


def coral_loss(logits, labels, num_classes, importance_weights=None):
    """CORAL loss for ordinal regression (Cao, Mirjalili and Raschka 2020).

    logits: (N, num_classes - 1) with a shared weight vector
    labels: (N,) in [0, num_classes - 1]
    """
    levels = levels_from_labels(labels, num_classes).to(logits.dtype)
    # log(1 - sigmoid(x)) = logsigmoid(x) - x
    term1 = F.logsigmoid(logits) * levels + (F.logsigmoid(logits) - logits) * (1 - levels)
    if importance_weights is not None:
        term1 = term1 * importance_weights.to(logits.dtype)
    val = -torch.sum(term1, dim=1)
    return val.mean()
