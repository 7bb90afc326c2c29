import torch
import torch.nn as nn


class LogIoULoss(nn.Module):
    """Negative log of the soft IoU, multi-label masks.

    The union is computed as ``|p|^2 + |y|^2 - p.y`` (squared norms), which
    for binary masks is the ordinary union. One value is obtained per channel
    from all pixels of the batch; with ``per_image=True`` one per image and
    channel. The values are averaged.

    Args:
        per_image: see above.
        eps: added to intersection and union.
    """

    def __init__(self, per_image: bool = False, eps: float = 1.0):
        super().__init__()
        self.dims = (2, 3) if per_image else (0, 2, 3)
        self.eps = eps

    def forward(self, scores: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        """scores: (N, C, H, W) logits, masks: (N, C, H, W) zeros and ones."""
        p = scores.sigmoid()
        y = masks.to(p.dtype)
        dot = (p * y).sum(self.dims)
        union = p.square().sum(self.dims) + y.square().sum(self.dims) - dot
        return (torch.log(union + self.eps) - torch.log(dot + self.eps)).mean()
