import torch
import torch.nn as nn
from torch.autograd import grad


class DerivativeMatchingLoss(nn.Module):
    """fit a network to samples of a function and of its gradient (Sobolev training).

    model: maps (N, d) to (N, 1); x: (N, d) collocation points
    y: (N, 1) values, dy: (N, d) derivatives at x
    """

    def __init__(self, w_deriv=1.0):
        super().__init__()
        self.w_deriv = w_deriv
        self.mse = nn.MSELoss()

    def forward(self, model, x, y, dy):
        x = x.clone().detach().requires_grad_(True)
        output = model(x)
        grad_x = grad(output.sum(), x, retain_graph=True)[0]

        loss_y = self.mse(output, y)
        loss_dy = self.mse(grad_x, dy)
        return loss_y + self.w_deriv * loss_dy
