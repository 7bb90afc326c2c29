import torch
import torch.nn as nn
import torch.nn.functional as F


class HingeDiscriminatorLoss(nn.Module):
    """Hinge loss of the discriminator with the R1 gradient penalty on the
    real images.

    Args:
        r1_gamma: weight of the penalty, r1_gamma / 2 * E[|grad D(x)|^2].
            0 disables it.
    """

    def __init__(self, r1_gamma=10.0):
        super().__init__()
        self.r1_gamma = r1_gamma

    @staticmethod
    def r1_penalty(real_scores, real):
        grad, = torch.autograd.grad(real_scores.sum(), real, create_graph=True)
        return grad.pow(2).flatten(1).sum(dim=1).mean()

    def forward(self, disc, real, fake):
        """disc: the discriminator, real / fake: (B, C, H, W)"""
        use_r1 = self.r1_gamma > 0
        real = real.detach().requires_grad_(use_r1)
        real_scores = disc(real)
        fake_scores = disc(fake.detach())

        loss = F.relu(1.0 - real_scores).mean() + F.relu(1.0 + fake_scores).mean()
        if use_r1:
            loss = loss + 0.5 * self.r1_gamma * self.r1_penalty(real_scores, real)
        return loss
