from typing import Callable, Dict

import torch


def heat_residual_loss(u: Callable, points: torch.Tensor, bc_points: torch.Tensor, bc_values: torch.Tensor,
                       kappa: float = 0.1, bc_weight: float = 10.0) -> Dict[str, torch.Tensor]:
    """Physics-informed loss of the 1-D heat equation ``u_t = kappa * u_xx``.

    Args:
        u: network mapping (N, 2) points (x, t) to (N, 1) temperatures.
        points: (N, 2) collocation points.
        bc_points: (M, 2) initial and boundary points.
        bc_values: (M, 1) known temperatures there.
        kappa: diffusivity.
        bc_weight: weight of the known values.

    Returns:
        dict with "pde" (mean squared residual), "bc" (mean squared error) and
        "total" = pde + bc_weight * bc.
    """
    xt = points.detach().clone().requires_grad_(True)
    out = u(xt)
    du = torch.autograd.grad(out.sum(), xt, create_graph=True)[0]
    u_x, u_t = du[:, 0], du[:, 1]
    d2u = torch.autograd.grad(u_x.sum(), xt, create_graph=True)[0]
    residual = u_t - kappa * d2u[:, 0]

    pde = residual.pow(2).mean()
    bc = (u(bc_points) - bc_values).pow(2).mean()
    return {"pde": pde, "bc": bc, "total": pde + bc_weight * bc}
