import torch
from torch import autograd


def compute_gradient_penalty(critic, real_samples, fake_samples, lambda_gp=10.0):
    """Calculates the gradient penalty loss for WGAN GP

    The critic's gradient norm with respect to random interpolates between real and
    fake images is pushed towards one for every sample.
    """
    batch_size = real_samples.size(0)
    # Random weight term for interpolation between real and fake samples
    alpha = torch.rand(batch_size, 1, 1, 1, device=real_samples.device, dtype=real_samples.dtype)
    interpolates = (alpha * real_samples + (1 - alpha) * fake_samples.detach()).requires_grad_(True)
    d_interpolates = critic(interpolates)
    gradients = autograd.grad(
        outputs=d_interpolates,
        inputs=interpolates,
        grad_outputs=torch.ones_like(d_interpolates),
        create_graph=True,
        retain_graph=True,
        only_inputs=True,
    )[0]
    gradient_penalty = ((gradients.norm(2, dim=1) - 1) ** 2).mean()
    return lambda_gp * gradient_penalty
