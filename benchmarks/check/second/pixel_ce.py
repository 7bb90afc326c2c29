import torch
import torch.nn.functional as F


def cross_entropy_2d(logits: torch.Tensor, target: torch.Tensor, ignore_index: int = 255) -> torch.Tensor:
    """Per-pixel cross entropy, averaged over the labelled pixels.

    Args:
        logits: (N, C, H, W)
        target: (N, H, W); pixels equal to ``ignore_index`` are left out
    """
    n, c, h, w = logits.shape
    logits = logits.permute(0, 2, 3, 1).reshape(-1, c)
    target = target.reshape(-1).long()
    loss = F.cross_entropy(logits, target, ignore_index=ignore_index, reduction="none")
    return loss.mean()
