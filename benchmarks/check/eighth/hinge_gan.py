from typing import Optional

import torch
import torch.nn as nn
import torch.nn.functional as F


class HingeGANLoss(nn.Module):
    """Hinge adversarial loss as in SAGAN / BigGAN.

    Called with both scores it returns the discriminator loss
    ``mean(relu(1 - D(x))) + mean(relu(1 + D(G(z))))``, called with the scores
    of the fakes only it returns the generator loss, which makes the
    generator raise the scores of its samples.
    """

    def discriminator_loss(self, d_fake, d_real):
        return F.relu(1.0 - d_real).mean() + F.relu(1.0 + d_fake).mean()

    def generator_loss(self, d_fake):
        return -F.relu(d_fake).mean()

    def forward(self, d_fake: torch.Tensor, d_real: Optional[torch.Tensor] = None) -> torch.Tensor:
        if d_real is not None:
            return self.discriminator_loss(d_fake, d_real)
        return self.generator_loss(d_fake)
