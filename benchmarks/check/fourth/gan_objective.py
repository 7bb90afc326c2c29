import torch
import torch.nn as nn
import torch.nn.functional as F


class GANLoss(nn.Module):
    """mode: "hinge", "lsgan" or "vanilla"; predictions are raw scores.

    A multi-scale discriminator may pass a list of predictions, the loss is
    then the average over the scales.
    """

    def __init__(self, mode="hinge"):
        super().__init__()
        assert mode in ("hinge", "lsgan", "vanilla")
        self.mode = mode

    def single(self, pred, is_real, for_discriminator):
        if self.mode == "hinge":
            if not for_discriminator:
                return -pred.mean()
            return F.relu(1 - pred).mean() if is_real else F.relu(1 + pred).mean()
        target = torch.full_like(pred, 1.0 if is_real else 0.0)
        if self.mode == "lsgan":
            return F.mse_loss(pred, target)
        return F.binary_cross_entropy_with_logits(pred, target)

    def discriminator(self, real, fake):
        """Loss of the discriminator; give it scores of detached fake images."""
        real = real if isinstance(real, (list, tuple)) else [real]
        fake = fake if isinstance(fake, (list, tuple)) else [fake]
        losses = [self.single(r, True, True) + self.single(f, False, True) for r, f in zip(real, fake)]
        return sum(losses) / len(losses)

    def forward(self, real, fake):
        """Returns (discriminator loss, generator loss). Each one is meant for the
        optimizer of its own network."""
        scales = fake if isinstance(fake, (list, tuple)) else [fake]
        gen = sum(self.single(f, True, False) for f in scales) / len(scales)
        return self.discriminator(real, fake), gen
