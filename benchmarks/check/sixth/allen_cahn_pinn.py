import torch


class AllenCahnLoss:
    """PINN loss for u_t - 0.0001 u_xx + 5 u^3 - 5 u = 0 on x in [-1, 1], t in [0, 1]
    u(x, 0) = x^2 cos(pi x), periodic in x
    """

    def __init__(self, d=1e-4, k=5.0, w_ic=100.0, w_bc=1.0):
        self.d = d
        self.k = k
        self.w_ic = w_ic
        self.w_bc = w_bc

    def pde(self, net, x, t):
        x = x.detach().clone().requires_grad_(True)
        t = t.detach().clone().requires_grad_(True)
        u = net(torch.cat([x, t], dim=1))
        # every row of u depends on its own row of x and t only
        u_t = torch.autograd.grad(u.sum(), t, create_graph=True)[0]
        u_x = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
        u_xx = torch.autograd.grad(u_x.sum(), x, create_graph=True)[0]
        return u_t - self.d * u_xx + self.k * u ** 3 - self.k * u

    def u_and_ux(self, net, x, t):
        x = x.detach().clone().requires_grad_(True)
        u = net(torch.cat([x, t], dim=1))
        return u, torch.autograd.grad(u.sum(), x, create_graph=True)[0]

    def __call__(self, net, x_f, t_f, x_ic, t_bc):
        """x_f, t_f: (N, 1) collocation points, x_ic: (M, 1), t_bc: (K, 1)"""
        loss_f = (self.pde(net, x_f, t_f) ** 2).mean()

        u0 = x_ic ** 2 * torch.cos(torch.pi * x_ic)
        loss_ic = ((net(torch.cat([x_ic, torch.zeros_like(x_ic)], dim=1)) - u0) ** 2).mean()

        lo, lo_x = self.u_and_ux(net, -torch.ones_like(t_bc), t_bc)
        hi, hi_x = self.u_and_ux(net, torch.ones_like(t_bc), t_bc)
        loss_bc = ((lo - hi) ** 2).mean() + ((lo_x - hi_x) ** 2).mean()
        return loss_f + self.w_ic * loss_ic + self.w_bc * loss_bc
