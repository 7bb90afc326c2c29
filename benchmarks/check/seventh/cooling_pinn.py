import torch
import torch.nn as nn


class CoolingPINNLoss(nn.Module):
    """Physics informed loss of Newton's law of cooling

        dT/dt = -r * (T - T_env),   T(0) = T0

    plus the supervised term on the measured temperatures.

    Args:
        r: cooling rate, T_env: temperature of the environment, T0: start
        lambda_phys: weight of the ODE residual
        lambda_ic: weight of the initial condition
    """

    def __init__(self, r=0.5, T_env=0.2, T0=1.0, lambda_phys=1.0, lambda_ic=1.0):
        super().__init__()
        self.r = r
        self.T_env = T_env
        self.T0 = T0
        self.lambda_phys = lambda_phys
        self.lambda_ic = lambda_ic
        self.mse = nn.MSELoss()

    def residual(self, model, t):
        t = t.detach().clone().requires_grad_(True)
        temp = model(t)
        dT = torch.autograd.grad(
            temp, t, grad_outputs=torch.ones_like(temp), retain_graph=True)[0]
        return dT + self.r * (temp - self.T_env)

    def forward(self, model, t_col, t_data, T_data):
        """t_col: (N, 1) collocation points, t_data / T_data: (M, 1)"""
        res = self.residual(model, t_col)
        loss_phys = (res ** 2).mean()
        loss_data = self.mse(model(t_data), T_data)
        t0 = torch.zeros(1, 1, dtype=t_col.dtype, device=t_col.device)
        loss_ic = ((model(t0) - self.T0) ** 2).mean()
        return loss_data + self.lambda_phys * loss_phys + self.lambda_ic * loss_ic
