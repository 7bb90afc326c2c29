import torch
import torch.nn as nn


class OscillatorResidual(nn.Module):
    """Physics loss of a network u(t) for the oscillator u'' + w^2 u = 0.

    The mean squared residual of the differential equation at the collocation
    points plus the squared error of the initial conditions u(0) = u0 and
    u'(0) = 0. Derivatives with respect to t are taken with autograd.

    Args:
        omega (float): angular frequency w. Default: 2.0
        u0 (float): initial displacement. Default: 1.0

    Shape:
        - t: (M, 1) collocation times
    """

    def __init__(self, omega=2.0, u0=1.0):
        super().__init__()
        self.omega = omega
        self.u0 = u0

    def forward(self, net, t):
        t = t.detach().clone().requires_grad_(True)
        u = net(t)
        du = torch.autograd.grad(u.sum(), t, create_graph=True)[0]
        ddu = torch.autograd.grad(du.sum(), t, retain_graph=True)[0]
        residual = ((ddu + self.omega**2 * u) ** 2).mean()
        start = torch.zeros(1, 1, dtype=t.dtype, device=t.device, requires_grad=True)
        u_start = net(start)
        du_start = torch.autograd.grad(u_start.sum(), start, create_graph=True)[0]
        return residual + ((u_start - self.u0) ** 2).sum() + (du_start**2).sum()
