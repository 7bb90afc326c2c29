import torch
import torch.nn as nn
import torch.nn.functional as F


class MultiScaleHingeLoss(nn.Module):
    """Hinge GAN loss for a list of patch discriminators.

    ``preds`` is a list of score maps (N, 1, h, w), one per scale. For the
    generator the loss is minus the mean score and can be negative.
    """

    def forward(self, preds, target_is_real, for_discriminator=True):
        if not isinstance(preds, (list, tuple)):
            preds = [preds]
        loss = 0.0
        for score in preds:
            if for_discriminator:
                sign = 1.0 if target_is_real else -1.0
                loss = loss + F.relu(1.0 - sign * score).mean()
            else:
                if not target_is_real:
                    raise ValueError("the generator's loss must aim for real")
                loss = loss - score.mean()
        return loss / len(preds)
