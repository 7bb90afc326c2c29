import torch
from torch import Tensor


def giou_loss(pred: Tensor, target: Tensor, reduction: str = "mean", eps: float = 1e-12) -> Tensor:
    """1 - GIoU for paired boxes (x1, y1, x2, y2) with x1 <= x2, y1 <= y2.

    The value lies in [0, 2]. Shapes (N, 4) and (N, 4).
    """
    assert pred.shape == target.shape and pred.shape[-1] == 4

    if pred.dtype in (torch.float16, torch.bfloat16):
        pred, target = pred.float(), target.float()

    def area(b):
        return (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])

    lt = torch.maximum(pred[..., :2], target[..., :2])
    rb = torch.minimum(pred[..., 2:], target[..., 2:])
    wh = (rb - lt).clamp(min=0)
    inter = wh[..., 0] * wh[..., 1]
    union = area(pred) + area(target) - inter

    hull_wh = torch.maximum(pred[..., 2:], target[..., 2:]) - torch.minimum(pred[..., :2], target[..., :2])
    hull = hull_wh[..., 0] * hull_wh[..., 1]
    giou = inter / union.clamp(min=eps) - (hull - union) / hull.clamp(min=eps)
    loss = 1 - giou
    if reduction == "mean":
        return loss.mean() if loss.numel() else loss.sum()
    if reduction == "sum":
        return loss.sum()
    if reduction == "none":
        return loss
    raise ValueError(f"invalid reduction {reduction}")
