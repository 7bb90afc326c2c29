import torch
import torch.nn as nn
import torch.nn.functional as F


class SlicedWassersteinLoss(nn.Module):
    """Squared sliced 2-Wasserstein distance of point clouds (B, N, D).

    Args:
        num_projections: directions, drawn anew in every call.
    Both clouds must have the same number of points.
    """

    def __init__(self, num_projections=64):
        super().__init__()
        self.num_projections = num_projections

    def forward(self, pred, target):
        if pred.shape != target.shape:
            raise ValueError("the clouds must have the same size")
        directions = torch.randn(self.num_projections, pred.shape[-1], device=pred.device, dtype=pred.dtype)
        directions = F.normalize(directions, dim=1)
        proj_p = torch.sort(pred @ directions.t(), dim=1).values
        proj_t = torch.sort(target @ directions.t(), dim=1).values
        return (proj_p - proj_t).pow(2).mean()
