import torch
import torch.nn as nn


class RaLSGANLoss(nn.Module):
    """Relativistic average least squares GAN loss (Jolicoeur-Martineau, 2018).

    For the discriminator
    ``[mean((C(x) - mean C(G) - 1)^2) + mean((C(G) - mean C(x) + 1)^2)] / 2``,
    for the generator the two signs of the ones are exchanged.

    Args:
        real: (N, ...) critic scores of real samples.
        fake: (M, ...) critic scores of generated samples.
        for_generator: which of the two losses to return.
    """

    def forward(self, real: torch.Tensor, fake: torch.Tensor, for_generator: bool = False) -> torch.Tensor:
        sign = -1.0 if for_generator else 1.0
        real_term = (real - fake.mean() - sign).square().mean()
        fake_term = (fake - real.mean() + sign).square().mean()
        return (real_term + fake_term) / 2
