import torch
import torch.nn as nn


class BurgersLoss(nn.Module):
    """u_t + u u_x = nu u_xx at collocation points, plus initial data.

    model maps a tensor (N, 2) with columns x and t to u (N, 1)
    and has smooth activations such as tanh.
    """

    def __init__(self, nu=0.01, data_weight=1.0):
        super().__init__()
        self.nu = nu
        self.data_weight = data_weight

    def residual(self, model, x, t):
        x = x.detach().clone().requires_grad_(True)
        t = t.detach().clone().requires_grad_(True)
        u = model(torch.cat([x, t], dim=1))
        ones = torch.ones_like(u)
        u_x, u_t = torch.autograd.grad(u, (x, t), ones, create_graph=True)
        u_xx = torch.autograd.grad(u_x, x, ones, create_graph=True)[0]
        return u_t + u * u_x - self.nu * u_xx

    def forward(self, model, x, t, x0, u0):
        """x, t: (N, 1) collocation points; x0, u0: (M, 1) values at t = 0"""
        pde = self.residual(model, x, t).pow(2).mean()
        start = model(torch.cat([x0, torch.zeros_like(x0)], dim=1))
        data = (start - u0).pow(2).mean()
        return {"loss": pde + self.data_weight * data, "pde": pde, "data": data}
