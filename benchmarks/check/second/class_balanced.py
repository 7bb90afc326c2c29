import torch
import torch.nn.functional as F


def class_balanced_loss(logits, labels, beta=0.999):
    """Cross entropy re-weighted by the effective number of samples."""
    num_classes = logits.shape[1]
    counts = torch.bincount(labels, minlength=num_classes).to(logits.dtype)
    effective_num = 1.0 - torch.pow(torch.full_like(counts, beta), counts)
    weights = (1.0 - beta) / effective_num
    weights = weights / weights.sum() * num_classes
    return F.cross_entropy(logits, labels, weight=weights)
