import torch
import torch.nn as nn


class CriticPenalty(nn.Module):
    """Gradient penalty of WGAN-GP.

    A point is drawn on the segment between each real and fake sample, and the
    squared deviation from 1 of the L2 norm of the critic's gradient with
    respect to that sample is averaged over the batch.

    Args:
        weight (float): factor lambda of the penalty. Default: 10

    Shape:
        - real, fake: (N, C, H, W)
    """

    def __init__(self, weight=10.0):
        super().__init__()
        self.weight = weight

    def forward(self, critic, real, fake):
        mix = torch.rand(real.size(0), 1, 1, 1, device=real.device, dtype=real.dtype)
        points = (mix * real + (1 - mix) * fake).detach().requires_grad_(True)
        scores = critic(points)
        grads = torch.autograd.grad(
            outputs=scores, inputs=points, grad_outputs=torch.ones_like(scores), create_graph=True, retain_graph=True
        )[0]
        norm = grads.norm(2, dim=1)
        return self.weight * ((norm - 1) ** 2).mean()
