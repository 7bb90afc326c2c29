import torch
import torch.nn as nn
import torch.nn.functional as F


class GeneralizedCrossEntropy(nn.Module):
    """Generalized cross entropy for noisy labels (Zhang and Sabuncu, 2018).

    ``(1 - p_y^q) / q``; q -> 0 gives the cross entropy and q = 1 the mean
    absolute error. If ``k`` is set, the truncated version is used: samples
    with ``p_y <= k`` have the constant loss ``(1 - k^q) / q``.

    Args:
        q: exponent in (0, 1].
        k: optional truncation threshold in (0, 1).
    """

    def __init__(self, q: float = 0.7, k: float = None):
        super().__init__()
        self.q = q
        self.k = k

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        log_py = -F.cross_entropy(logits, labels, reduction="none")
        loss = -torch.expm1(self.q * log_py) / self.q
        if self.k is not None:
            loss = loss.clamp(max=(1 - self.k ** self.q) / self.q)
        return loss.mean()
