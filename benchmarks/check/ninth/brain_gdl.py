import torch
import torch.nn as nn


class BrainGDL(nn.Module):
    """Generalised Dice over the batch with inverse-volume weights.

    Every class gets the weight 1 / V (not 1 / V**2), V being its reference
    volume in the batch; classes without reference voxels get weight 0. The
    weighted intersections and unions are summed over the classes before the
    division. Returns 1 - GDS.

    Args:
        from_logits (bool): apply a softmax over dim 1 first. Default: True

    Shape:
        - pred: (N, C, D, H, W)
        - ref: (N, C, D, H, W), one-hot
    """

    def __init__(self, from_logits=True):
        super().__init__()
        self.from_logits = from_logits

    def forward(self, pred, ref):
        if self.from_logits:
            pred = pred.softmax(dim=1)
        ref = ref.to(pred.dtype)
        axes = [0] + list(range(2, pred.dim()))
        volume = ref.sum(axes)
        w = torch.where(volume > 0, 1.0 / volume.clamp(min=1e-8), torch.zeros_like(volume))
        top = 2 * (w * (pred * ref).sum(axes)).sum()
        bottom = (w * (pred + ref).sum(axes)).sum()
        return 1 - top / bottom.clamp(min=1e-8)
