import torch
from torch import autograd, nn


class GradientPenalty(nn.Module):
    """WGAN-GP: the critic's gradient at points between real and fake images
    should have norm one for every image."""

    def __init__(self, lambda_gp=10.0):
        super().__init__()
        self.lambda_gp = lambda_gp

    def forward(self, critic, real, fake):
        alpha = torch.rand(real.size(0), 1, 1, 1, device=real.device, dtype=real.dtype)
        mixed = (alpha * real + (1 - alpha) * fake).detach().requires_grad_(True)
        score = critic(mixed)
        grads = autograd.grad(score, mixed, grad_outputs=torch.ones_like(score),
                              create_graph=True, retain_graph=True)[0]
        norm = torch.sqrt(torch.sum(grads ** 2, dim=1) + 1e-12)
        return self.lambda_gp * ((norm - 1) ** 2).mean()
