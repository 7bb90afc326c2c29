import torch.nn as nn


class HeatEquationLoss(nn.Module):
    """Mean squared residual of u_t = alpha * u_xx on a regular grid.

    u: (B, T, X) predicted field; forward difference in time, central second difference in space.
    """

    def __init__(self, alpha=0.1, dt=0.01, dx=0.1):
        super().__init__()
        self.alpha = alpha
        self.dt = dt
        self.dx = dx

    def forward(self, u):
        u_t = (u[:, 1:, 1:-1] - u[:, :-1, 1:-1]) / self.dt
        u_xx = (u[:, :-1, 2:] - 2 * u[:, :-1, 1:-1] + u[:, :-1, :-2]) / self.dx ** 2
        residual = u_t - self.alpha * u_xx
        return residual.pow(2).mean()
