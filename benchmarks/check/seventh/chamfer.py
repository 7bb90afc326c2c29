import torch
import torch.nn as nn


class ChamferLoss(nn.Module):
    """Symmetric Chamfer distance of padded point clouds (squared distances).

    Args:
        single_directional: only pred -> target.
    """

    def __init__(self, single_directional=False):
        super().__init__()
        self.single_directional = single_directional

    @staticmethod
    def _valid(points, lengths):
        n = points.shape[1]
        if lengths is None:
            return torch.ones(points.shape[:2], dtype=torch.bool, device=points.device)
        return torch.arange(n, device=points.device).unsqueeze(0) < lengths.unsqueeze(1)

    @staticmethod
    def _directed(d2, valid):
        # mean over the valid points of each cloud, then over the batch
        w = valid.to(d2.dtype)
        per_cloud = (d2 * w).sum(dim=1) / w.sum(dim=1).clamp(min=1.0)
        return per_cloud.mean()

    def forward(self, x, y, x_lengths=None, y_lengths=None):
        """x: (B, N, D), y: (B, M, D); lengths: (B,) number of real points"""
        vx = self._valid(x, x_lengths)
        vy = self._valid(y, y_lengths)
        d2 = (x.unsqueeze(2) - y.unsqueeze(1)).pow(2).sum(dim=-1)

        inf = torch.finfo(d2.dtype).max
        to_y = d2.masked_fill(~vy.unsqueeze(1), inf).min(dim=2).values
        to_x = d2.masked_fill(~vx.unsqueeze(2), inf).min(dim=1).values
        # a cloud without any partner has no distance
        to_y = torch.where(vy.any(dim=1, keepdim=True), to_y, torch.zeros_like(to_y))
        to_x = torch.where(vx.any(dim=1, keepdim=True), to_x, torch.zeros_like(to_x))
        # the padding itself is dropped here
        to_y = torch.where(vx, to_y, torch.zeros_like(to_y))
        to_x = torch.where(vy, to_x, torch.zeros_like(to_x))

        loss = self._directed(to_y, vx)
        if not self.single_directional:
            loss = loss + self._directed(to_x, vy)
        return loss
