import torch
import torch.nn as nn
import torch.nn.functional as F


class GANLoss(nn.Module):
    """Adversarial loss. type in {'hinge', 'lsgan'}.
    With is_disc the loss of the discriminator, otherwise the generator's (only fake is used).
    """

    def __init__(self, type='hinge', is_disc=True):
        super().__init__()
        self.type = type
        self.is_disc = is_disc

    def forward(self, real, fake):
        if self.type == 'hinge':
            if self.is_disc:
                return F.relu(1.0 - real).mean() + F.relu(1.0 + fake).mean()
            return (-fake).mean()
        if self.is_disc:
            return 0.5 * (((real - 1) ** 2).mean() + (fake ** 2).mean())
        return 0.5 * ((fake - 1) ** 2).mean()
