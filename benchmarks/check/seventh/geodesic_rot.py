import torch
import torch.nn as nn


def rotmat_geodesic_distance(R1, R2):
    """Angle (radians) of the relative rotation, R1, R2: (B, 3, 3)."""
    m = torch.bmm(R1, R2.transpose(1, 2))
    cos = (m[:, 0, 0] + m[:, 1, 1] + m[:, 2, 2] - 1) / 2
    # numerical errors can leave the domain of acos
    cos = torch.clamp(cos, -1.0, 1.0)
    return torch.acos(cos)


class PoseGeodesicLoss(nn.Module):
    """Geodesic rotation loss + squared translation error.

    Args:
        beta: weight of the squared translation error.
    """

    def __init__(self, beta=0.01):
        super().__init__()
        self.beta = beta

    def forward(self, R_pred, t_pred, R_gt, t_gt):
        angle = rotmat_geodesic_distance(R_pred, R_gt)
        # squared, smooth at zero
        trans = (t_pred - t_gt).pow(2).sum(dim=1)
        return (angle + self.beta * trans).mean()
