import torch
import torch.nn.functional as F


def label_to_levels(labels, num_classes):
    k = torch.arange(num_classes - 1, device=labels.device)
    return (labels.unsqueeze(1) >= k).float()


def ordinal_loss(logits, labels):
    """Ordinal regression with cumulative binary targets.

    There are K classes 0, ..., K-1 and K-1 outputs; output k is the logit of
    P(label > k).

    logits: (N, K-1), labels: (N,)
    """
    levels = label_to_levels(labels, logits.size(1) + 1).to(logits.dtype)
    loss = F.binary_cross_entropy_with_logits(logits, levels, reduction="none")
    return loss.sum(dim=1).mean()
