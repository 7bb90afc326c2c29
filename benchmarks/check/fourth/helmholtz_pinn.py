import torch


def helmholtz_residual_loss(model, xy, source, k=1.0):
    """Mean squared residual of  u_xx + u_yy + k^2 u = source.

    model maps (N, 2) points to (N, 1) values (smooth activations), xy are the collocation points,
    source has shape (N,).
    """
    xy = xy.detach().clone().requires_grad_(True)
    u = model(xy)
    du = torch.autograd.grad(u, xy, torch.ones_like(u), create_graph=True)[0]
    d2u = torch.autograd.grad(du, xy, torch.ones_like(du), create_graph=True)[0]
    laplacian = d2u[:, 0] + d2u[:, 1]
    residual = laplacian + k ** 2 * u.squeeze(1) - source
    return (residual ** 2).mean()
