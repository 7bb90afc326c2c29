import torch
import torch.nn as nn


class GradientPenalty(nn.Module):
    """WGAN-GP penalty: the critic's gradient at points between real and fake
    samples should have norm 1 (Gulrajani et al., 2017).

    Args:
        lambda_gp: weight of the penalty.
    ``critic`` maps images (N, C, H, W) to scores (N, 1).
    """

    def __init__(self, lambda_gp=10.0):
        super().__init__()
        self.lambda_gp = lambda_gp

    def forward(self, critic, real, fake):
        alpha = torch.rand(real.size(0), 1, 1, 1, device=real.device, dtype=real.dtype)
        interpolates = (alpha * real.detach() + (1 - alpha) * fake.detach()).requires_grad_(True)
        scores = critic(interpolates)

        gradients = torch.autograd.grad(
            outputs=scores,
            inputs=interpolates,
            grad_outputs=torch.ones_like(scores),
            create_graph=True,
            retain_graph=True,
        )[0]
        gradient_penalty = ((gradients.norm(2, dim=1) - 1) ** 2).mean()
        return self.lambda_gp * gradient_penalty
