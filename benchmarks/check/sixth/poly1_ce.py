import torch
import torch.nn.functional as F
from torch import Tensor


def poly1_cross_entropy(
    x: Tensor,
    target: Tensor,
    eps: float = 2.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Implements the Poly-1 loss from `"PolyLoss: A Polynomial Expansion Perspective of
    Classification Loss Functions" <https://arxiv.org/pdf/2204.12511.pdf>`_.

    Args:
        x: predicted logits, of shape (N, K, ...)
        target: hard targets, of shape (N, ...)
        eps: coefficient of the first polynomial term
        ignore_index: target value that does not contribute to the loss
        reduction: one of "mean", "sum" or "none"
    """
    logpt = F.log_softmax(x, dim=1)
    logpt = logpt.transpose(1, 0).flatten(1).gather(0, target.view(1, -1)).squeeze(0)

    loss = -logpt + eps * (1 - logpt.exp())

    valid = target.view(-1) != ignore_index
    loss = torch.where(valid, loss, torch.zeros_like(loss))

    if reduction == "sum":
        return loss.sum()
    if reduction == "mean":
        return loss.sum() / valid.sum().clamp(min=1)
    return loss.view_as(target)
