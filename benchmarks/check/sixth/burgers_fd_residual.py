import torch
import torch.nn as nn
import torch.nn.functional as F


class BurgersResidualLoss(nn.Module):
    """Physics loss for a generated space-time solution of the viscous Burgers' equation

        u_t + u * u_x = nu * u_xx

    evaluated with central differences in the interior of the grid.

    u: (B, T, X), axis 1 is time and axis 2 is space. `obs` / `obs_mask` (same shape) hold
    sparse measurements.
    """

    def __init__(self, dx=1.0 / 128, dt=1.0 / 128, nu=0.01, pde_weight=1.0):
        super().__init__()
        self.dx = dx
        self.dt = dt
        self.nu = nu
        self.pde_weight = pde_weight
        self.register_buffer('d1', torch.tensor([[[1., 0., -1.]]]))
        self.register_buffer('d2', torch.tensor([[[1., -2., 1.]]]))

    def residual(self, u):
        B, T, X = u.shape
        rows = u.reshape(B * T, 1, X)
        u_x = F.conv1d(rows, self.d1).view(B, T, X - 2) / (2 * self.dx)
        u_xx = F.conv1d(rows, self.d2).view(B, T, X - 2) / self.dx ** 2
        u_t = (u[:, 2:] - u[:, :-2]) / (2 * self.dt)
        inner = u[:, 1:-1, 1:-1]
        return u_t[:, :, 1:-1] + inner * u_x[:, 1:-1] - self.nu * u_xx[:, 1:-1]

    def forward(self, u, obs, obs_mask):
        pde = self.residual(u).pow(2).mean()
        m = obs_mask.to(u.dtype)
        data = ((u - obs).pow(2) * m).sum() / m.sum().clamp(min=1)
        return data + self.pde_weight * pde
