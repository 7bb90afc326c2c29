import torch
import torch.autograd as autograd


def compute_gradient_penalty(D, real_samples, fake_samples):
    """Calculates the gradient penalty loss for WGAN GP

    D: critic, maps images (N, C, H, W) to scores (N, 1)
    """
    # Random weight term for interpolation between real and fake samples
    alpha = torch.rand(real_samples.size(0), 1, 1, 1, dtype=real_samples.dtype, device=real_samples.device)
    interpolates = (alpha * real_samples + (1 - alpha) * fake_samples).detach().requires_grad_(True)
    d_interpolates = D(interpolates)
    fake = torch.ones_like(d_interpolates)
    # Get gradient w.r.t. interpolates
    gradients = autograd.grad(
        outputs=d_interpolates,
        inputs=interpolates,
        grad_outputs=fake,
        create_graph=True,
        retain_graph=True,
    )[0]
    slopes = torch.sqrt((gradients ** 2).sum(dim=1) + 1e-12)
    gradient_penalty = ((slopes - 1) ** 2).mean()
    return gradient_penalty
