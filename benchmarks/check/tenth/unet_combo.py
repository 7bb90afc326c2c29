import torch
import torch.nn as nn
import torch.nn.functional as F


class BCEDiceLoss(nn.Module):
    def __init__(self, bce_weight=0.5, smooth=1.):
        super(BCEDiceLoss, self).__init__()
        self.bce_weight = bce_weight
        self.smooth = smooth

    def forward(self, inputs, targets):
        # raw network output -> probabilities
        inputs = torch.sigmoid(inputs)

        inputs = inputs.reshape(inputs.size(0), -1)
        targets = targets.reshape(targets.size(0), -1).float()

        bce = F.binary_cross_entropy_with_logits(inputs, targets)

        intersection = (inputs * targets).sum(1)
        dice = (2. * intersection + self.smooth) / (inputs.sum(1) + targets.sum(1) + self.smooth)
        return self.bce_weight * bce + (1 - self.bce_weight) * (1 - dice).mean()
