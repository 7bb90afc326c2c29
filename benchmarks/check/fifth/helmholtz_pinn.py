import torch


def helmholtz_pinn_loss(model, coords, source, bc_coords, bc_values, k=1.0, bc_weight=1.0):
    """Loss of a physics-informed network for u_xx + u_yy + k^2 u = q.

    Args:
        model: maps coordinates (N, 2) to u (N, 1).
        coords: interior collocation points (N, 2); source: q there, (N, 1).
        bc_coords: boundary points (M, 2); bc_values: u there, (M, 1).
    """
    g = coords.detach().clone().requires_grad_(True)
    u = model(g)
    u_g = torch.autograd.grad(u, g, torch.ones_like(u), create_graph=True)[0]
    u_gg = torch.autograd.grad(u_g, g, torch.ones_like(u_g), create_graph=True)[0]
    u_xx = u_gg[:, [0]]
    u_yy = u_gg[:, [1]]

    residual = u_xx + u_yy + k ** 2 * u - source
    loss_pde = residual.pow(2).mean()
    loss_bc = (model(bc_coords) - bc_values).pow(2).mean()
    return loss_pde + bc_weight * loss_bc
