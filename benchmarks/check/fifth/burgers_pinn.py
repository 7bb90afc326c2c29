import math

import torch
import torch.nn as nn


class BurgersLoss(nn.Module):
    """Physics-informed loss for u_t + u u_x = nu u_xx.

    Args:
        nu: viscosity; data_weight: weight of the initial and boundary data.
    model maps (N, 2) points (x, t) to u (N, 1); collocation (N, 2);
    data_points (M, 2) with data_values (M, 1).
    """

    def __init__(self, nu=0.01 / math.pi, data_weight=1.0):
        super().__init__()
        self.nu = nu
        self.data_weight = data_weight

    def forward(self, model, collocation, data_points, data_values):
        xt = collocation.detach().clone().requires_grad_(True)
        u = model(xt)
        du = torch.autograd.grad(u.sum(), xt, create_graph=True)[0]
        u_x, u_t = du[:, 0:1], du[:, 1:2]
        u_xx = torch.autograd.grad(u_x.sum(), xt, create_graph=True)[0][:, 0:1]
        residual = u_t + u * u_x - self.nu * u_xx

        misfit = model(data_points) - data_values
        return residual.pow(2).mean() + self.data_weight * misfit.pow(2).mean()
