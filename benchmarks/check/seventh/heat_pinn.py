import torch
import torch.nn as nn


class HeatEquationLoss(nn.Module):
    """PINN loss of the 1D heat equation u_t = nu * u_xx on [0, 1].

    Args:
        nu: diffusivity.
        w_pde, w_ic, w_bc: weights of the residual, the initial and the
            boundary condition u(0, t) = u(1, t) = 0.
    """

    def __init__(self, nu=0.1, w_pde=1.0, w_ic=10.0, w_bc=10.0):
        super().__init__()
        self.nu = nu
        self.w_pde = w_pde
        self.w_ic = w_ic
        self.w_bc = w_bc

    @staticmethod
    def initial_condition(x):
        return torch.sin(torch.pi * x)

    def residual(self, model, x, t):
        x = x.detach().clone().requires_grad_(True)
        t = t.detach().clone().requires_grad_(True)
        u = model(torch.cat([x, t], dim=1))
        # the sum gives the per-sample derivatives, samples do not interact
        u_x, u_t = torch.autograd.grad(u.sum(), (x, t), create_graph=True)
        u_xx, = torch.autograd.grad(u_x.sum(), x, create_graph=True)
        return u_t - self.nu * u_xx

    def forward(self, model, x, t):
        """model: (N, 2) -> (N, 1), x, t: (N, 1) collocation points"""
        loss_pde = self.residual(model, x, t).pow(2).mean()

        u0 = model(torch.cat([x, torch.zeros_like(t)], dim=1))
        loss_ic = (u0 - self.initial_condition(x)).pow(2).mean()

        left = model(torch.cat([torch.zeros_like(x), t], dim=1))
        right = model(torch.cat([torch.ones_like(x), t], dim=1))
        loss_bc = left.pow(2).mean() + right.pow(2).mean()

        return self.w_pde * loss_pde + self.w_ic * loss_ic + self.w_bc * loss_bc
