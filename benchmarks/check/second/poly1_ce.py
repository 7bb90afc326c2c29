import torch
import torch.nn.functional as F


def poly1_cross_entropy(logits, labels, epsilon=1.0, weight=None, reduction="mean"):
    """Poly-1 loss: CE + epsilon * (1 - pt).

    logits (N, C, ...), labels (N, ...) with class ids. ``weight`` (C,) scales
    only the CE part, without renormalisation.
    """
    ce = F.cross_entropy(logits, labels, reduction="none")
    pt = torch.exp(-ce)
    if weight is not None:
        ce = ce * weight.to(ce.dtype)[labels]
    loss = ce + epsilon * (1 - pt)
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    if reduction == "none":
        return loss
    raise ValueError(f"reduction={reduction!r}")
