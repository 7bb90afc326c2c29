import torch


def gradient_penalty(critic, real, fake, weight=10.0):
    """WGAN-GP: pulls the norm of the critic's gradient at each sample to 1."""
    alpha = torch.rand(real.size(0), 1, 1, 1, device=real.device, dtype=real.dtype)
    mixed = (alpha * real + (1 - alpha) * fake).detach().requires_grad_(True)
    scores = critic(mixed)
    grads = torch.autograd.grad(
        outputs=scores,
        inputs=mixed,
        grad_outputs=torch.ones_like(scores),
        create_graph=True,
    )[0]
    grad_norm = torch.sqrt((grads ** 2).sum(dim=1) + 1e-12)
    return weight * ((grad_norm - 1) ** 2).mean()
