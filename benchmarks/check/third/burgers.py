import math

import torch


def _d(out, var):
    return torch.autograd.grad(out, var, grad_outputs=torch.ones_like(out), create_graph=True)[0]


def burgers_loss(net, x_f, t_f, x_u, t_u, u, nu=0.01 / math.pi, weights=(1.0, 1.0)):
    """u_t + u u_x = nu u_xx.

    net: called as net(x, t) with (N, 1) columns, returns (N, 1)
    x_f, t_f: collocation points; x_u, t_u, u: initial / boundary data
    returns total, residual part, data part
    """
    x_f = x_f.clone().detach().requires_grad_(True)
    t_f = t_f.clone().detach().requires_grad_(True)

    u_f = net(x_f, t_f)
    u_x = _d(u_f, x_f)
    u_t = _d(u_f, t_f)
    u_xx = _d(u_x, x_f)
    f = u_t + u_f * u_x - nu * u_xx

    loss_f = torch.mean(f ** 2)
    loss_u = torch.mean((net(x_u, t_u) - u) ** 2)
    return weights[0] * loss_f + weights[1] * loss_u, loss_f, loss_u
