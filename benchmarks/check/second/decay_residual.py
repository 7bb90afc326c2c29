import torch
import torch.nn as nn


class DecayResidualLoss(nn.Module):
    def __init__(self, k=1.0, u0=1.0, ic_weight=1.0):
        super().__init__()
        self.k, self.u0, self.ic_weight = k, u0, ic_weight

    def forward(self, net, t):
        t = t.detach().requires_grad_(True)
        u = net(t)
        du_dt = torch.autograd.grad(u, t, grad_outputs=torch.ones_like(u), retain_graph=True)[0]
        residual = du_dt + self.k * u
        start = net(torch.zeros_like(t[:1])) - self.u0
        return (residual ** 2).mean() + self.ic_weight * (start ** 2).mean()
