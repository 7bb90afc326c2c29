import torch
import torch.nn as nn


class OKSLoss(nn.Module):
    """1 - object keypoint similarity.

    OKS = sum_i exp(-d_i^2 / (2 * area * (2 * sigma_i)^2)) [v_i > 0] / sum_i [v_i > 0]

    Args:
        sigmas: per keypoint constants (COCO).
    """

    def __init__(self, sigmas):
        super().__init__()
        self.register_buffer("sigmas", torch.tensor(sigmas, dtype=torch.float32))

    def forward(self, pred, target, visibility, area):
        """
        pred, target: (N, K, 2) pixel coordinates
        visibility: (N, K) 0 not labelled, 1 occluded, 2 visible
        area: (N,) area of the object in pixels
        """
        vis = (visibility > 0).to(pred.dtype)
        d2 = (pred - target).pow(2).sum(dim=-1)
        # coordinates of unlabelled keypoints are arbitrary
        d2 = torch.where(vis > 0, d2, torch.zeros_like(d2))
        scale = 2 * area.clamp(min=1.0).unsqueeze(1) * (2 * self.sigmas).pow(2)
        sim = torch.exp(-d2 / scale) * vis

        num_vis = vis.sum(dim=1)
        oks = sim.sum(dim=1) / num_vis.clamp(min=1.0)
        has_kpt = (num_vis > 0).to(pred.dtype)
        return ((1 - oks) * has_kpt).sum() / has_kpt.sum().clamp(min=1.0)
