import torch
import torch.nn as nn
import torch.nn.functional as F


class GANHingeLoss(nn.Module):
    """hinge version of the adversarial loss (SAGAN, BigGAN).

    pred is the raw critic score. For the generator step call it on the fake
    scores with for_discriminator=False.
    """

    def __init__(self, gan_weight=1.0):
        super().__init__()
        self.gan_weight = gan_weight

    def forward(self, pred, target_is_real=True, for_discriminator=True):
        if for_discriminator:
            if target_is_real:
                loss = F.relu(1.0 - pred).mean()
            else:
                loss = F.relu(1.0 + pred).mean()
        else:
            assert target_is_real, "The generator's hinge loss must be aiming for real"
            loss = -F.relu(pred).mean()
        return self.gan_weight * loss
