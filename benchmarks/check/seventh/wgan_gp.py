import torch
from torch import autograd


def compute_gradient_penalty(D, real_samples, fake_samples):
    """Calculates the gradient penalty loss for WGAN GP"""
    # Random weight term for interpolation between real and fake samples
    alpha = torch.rand(real_samples.size(0), 1, 1, 1, device=real_samples.device)
    interpolates = (alpha * real_samples + (1 - alpha) * fake_samples).detach()
    interpolates.requires_grad_(True)
    d_interpolates = D(interpolates)
    # Get gradient w.r.t. interpolates
    gradients = autograd.grad(
        outputs=d_interpolates,
        inputs=interpolates,
        grad_outputs=torch.ones_like(d_interpolates),
        create_graph=True,
        retain_graph=True,
        only_inputs=True,
    )[0]
    gradient_penalty = ((gradients.norm(2, dim=1) - 1) ** 2).mean()
    return gradient_penalty


def critic_loss(D, real_imgs, fake_imgs, lambda_gp=10.0):
    """Loss of the critic for one batch of images (B, C, H, W)."""
    fake_imgs = fake_imgs.detach()
    real_validity = D(real_imgs)
    fake_validity = D(fake_imgs)
    gp = compute_gradient_penalty(D, real_imgs, fake_imgs)
    return -real_validity.mean() + fake_validity.mean() + lambda_gp * gp
