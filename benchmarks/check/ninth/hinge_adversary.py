import torch
import torch.nn as nn
import torch.nn.functional as F


class HingeAdversary(nn.Module):
    """Hinge objective of SAGAN / BigGAN.

    With both arguments it is the discriminator's loss
    ``mean(relu(1 - real)) + mean(relu(1 + fake))``; with the fake scores alone
    it is the generator's loss ``-mean(fake)``, which may be negative.

    Shape:
        - fake, real: discriminator outputs of any shape
    """

    def forward(self, fake, real=None):
        if real is None:
            return -fake.mean()
        return F.relu(1.0 - real).mean() + F.relu(1.0 + fake).mean()
