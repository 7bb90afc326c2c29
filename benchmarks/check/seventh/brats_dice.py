import torch
import torch.nn as nn
import torch.nn.functional as F


def soft_dice_coefficient(outputs, masks, smooth=1.0):
    """Soft Dice, averaged over the classes and the batch.

    outputs, masks: (B, C, D, H, W) probabilities and one-hot labels
    """
    num = outputs.shape[0]
    outputs = outputs.reshape(num, -1)
    masks = masks.reshape(num, -1)
    intersection = (outputs * masks).sum(dim=1)
    total = outputs.sum(dim=1) + masks.sum(dim=1)
    return ((2.0 * intersection + smooth) / (total + smooth)).mean()


class DeepSupervisionDiceCE(nn.Module):
    """Dice + cross entropy for 3D tumour segmentation with deep supervision.

    The network returns a list of logits, full resolution first; the labels
    are downsampled (nearest) for the auxiliary heads. The background takes
    more than 95% of the voxels, the Dice term treats all the classes equally.

    Args:
        num_classes: number of classes including the background.
        lambda_ce, lambda_dice: weights of the two terms.
        ds_weights: weights of the outputs, halved per level by default.
    """

    def __init__(self, num_classes, lambda_ce=1.0, lambda_dice=1.0, ds_weights=None):
        super().__init__()
        self.num_classes = num_classes
        self.lambda_ce = lambda_ce
        self.lambda_dice = lambda_dice
        self.ds_weights = ds_weights

    def single_scale(self, logits, labels):
        ce = F.cross_entropy(logits, labels)
        one_hot = F.one_hot(labels, self.num_classes).movedim(-1, 1).to(logits.dtype)
        dice = soft_dice_coefficient(logits.softmax(dim=1), one_hot)
        return self.lambda_ce * ce + self.lambda_dice * (1 - dice)

    def forward(self, outputs, labels):
        """outputs: list of (B, C, d, h, w) logits or one tensor; labels: (B, D, H, W)"""
        if torch.is_tensor(outputs):
            outputs = [outputs]
        weights = self.ds_weights or [0.5 ** i for i in range(len(outputs))]
        norm = sum(weights[:len(outputs)])

        total = 0.0
        for weight, logits in zip(weights, outputs):
            if logits.shape[2:] != labels.shape[1:]:
                target = F.interpolate(
                    labels.unsqueeze(1).float(), size=logits.shape[2:], mode="nearest")
                target = target.squeeze(1).long()
            else:
                target = labels
            total = total + weight / norm * self.single_scale(logits, target)
        return total
