import torch
import torch.nn as nn


class RegistrationLoss(nn.Module):
    """Unsupervised deformable registration of 3D images: global normalised
    cross correlation + bending energy of the displacement field.

    Args:
        reg_weight: weight of the regulariser.
        eps: stabiliser, images without any contrast have the correlation 0.
    """

    def __init__(self, reg_weight=0.1, eps=1e-6):
        super().__init__()
        self.reg_weight = reg_weight
        self.eps = eps

    def ncc(self, moved, fixed, mask=None):
        """moved, fixed: (B, 1, D, H, W). Returns (B,) values in [-1, 1]."""
        moved, fixed = moved.flatten(1), fixed.flatten(1)
        w = torch.ones_like(fixed) if mask is None else mask.flatten(1).to(fixed.dtype)
        total = w.sum(dim=1, keepdim=True).clamp(min=1.0)
        m = moved - (w * moved).sum(dim=1, keepdim=True) / total
        f = fixed - (w * fixed).sum(dim=1, keepdim=True) / total
        cov = (w * m * f).sum(dim=1) / total.squeeze(1)
        var_m = (w * m * m).sum(dim=1) / total.squeeze(1)
        var_f = (w * f * f).sum(dim=1) / total.squeeze(1)
        return cov / torch.sqrt((var_m + self.eps) * (var_f + self.eps))

    @staticmethod
    def _diff(x, dim):
        n = x.shape[dim]
        return x.narrow(dim, 1, n - 1) - x.narrow(dim, 0, n - 1)

    def bending_energy(self, ddf):
        """ddf: (B, 3, D, H, W) in voxels, every side >= 3."""
        dz, dy, dx = (self._diff(ddf, d) for d in (2, 3, 4))
        dzz, dyy, dxx = self._diff(dz, 2), self._diff(dy, 3), self._diff(dx, 4)
        dzy, dzx, dyx = self._diff(dz, 3), self._diff(dz, 4), self._diff(dy, 4)
        pure = dzz.pow(2).mean() + dyy.pow(2).mean() + dxx.pow(2).mean()
        mixed = dzy.pow(2).mean() + dzx.pow(2).mean() + dyx.pow(2).mean()
        return pure + 2 * mixed

    def forward(self, moved, fixed, ddf, mask=None):
        sim = 1 - self.ncc(moved, fixed, mask).mean()
        return sim + self.reg_weight * self.bending_energy(ddf)
