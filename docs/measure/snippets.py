"""Losses as they circulate in tutorials, each with the mistake that the tutorial pages measure."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def mse(output, target):
    return ((output - target) ** 2).mean()


class DiceLoss(nn.Module):
    def __init__(self, weight=None, size_average=True):
        super().__init__()

    def forward(self, inputs, targets, smooth=1):
        inputs = torch.sigmoid(inputs)
        inputs = inputs.view(-1)
        targets = targets.view(-1)
        intersection = (inputs * targets).sum()
        dice = (2.0 * intersection + smooth) / (inputs.sum() + targets.sum() + smooth)
        return 1 - dice


class DiceBCELoss(nn.Module):
    def forward(self, inputs, targets, smooth=1):
        inputs = torch.sigmoid(inputs).view(-1)
        targets = targets.view(-1)
        intersection = (inputs * targets).sum()
        dice = (2.0 * intersection + smooth) / (inputs.sum() + targets.sum() + smooth)
        bce = F.binary_cross_entropy(inputs, targets, reduction="mean")
        return bce + 1 - dice


class IoULoss(nn.Module):
    def forward(self, inputs, targets, smooth=1):
        inputs = torch.sigmoid(inputs).view(-1)
        targets = targets.view(-1)
        intersection = (inputs * targets).sum()
        union = (inputs + targets).sum() - intersection
        return 1 - (intersection + smooth) / (union + smooth)


class FocalLoss(nn.Module):
    def forward(self, inputs, targets, alpha=0.8, gamma=2):
        inputs = torch.sigmoid(inputs).view(-1)
        targets = targets.view(-1)
        bce = F.binary_cross_entropy(inputs, targets, reduction="mean")
        bce_exp = torch.exp(-bce)
        return alpha * (1 - bce_exp) ** gamma * bce


class TverskyLoss(nn.Module):
    def forward(self, inputs, targets, smooth=1, alpha=0.5, beta=0.5):
        inputs = torch.sigmoid(inputs).view(-1)
        targets = targets.view(-1)
        tp = (inputs * targets).sum()
        fp = ((1 - targets) * inputs).sum()
        fn = (targets * (1 - inputs)).sum()
        return 1 - (tp + smooth) / (tp + alpha * fp + beta * fn + smooth)


def mask_dice(inputs, targets, num_masks, scale=1000, eps=1e-6):
    inputs = inputs.sigmoid().flatten(1, 2)
    targets = targets.flatten(1, 2)
    numerator = 2 * (inputs / scale * targets).sum(-1)
    denominator = (inputs / scale).sum(-1) + (targets / scale).sum(-1)
    loss = 1 - (numerator + eps) / (denominator + eps)
    return loss.sum() / (num_masks + 1e-8)


def mask_dice_summed(inputs, targets, smooth=1):
    inputs = inputs.sigmoid().flatten(1)
    targets = targets.flatten(1)
    numerator = 2 * (inputs * targets).sum(1)
    loss = 1 - (numerator + smooth) / (inputs.sum(1) + targets.sum(1) + smooth)
    return loss.sum().mean()


def smooth_l1(pred, target, beta=1.0):
    diff = (pred - target).abs()
    loss = torch.where(diff < beta, 0.5 * diff**2, diff - 0.5)
    return loss.mean()


def masked_smooth_l1(pred, target, mask):
    loss = F.smooth_l1_loss(pred, target, reduction="none")
    return (loss * mask).mean()


def bce_after_sigmoid(logits, targets):
    return nn.BCELoss()(torch.sigmoid(logits), targets)


def sigmoid_twice(logits, targets):
    return nn.BCEWithLogitsLoss()(torch.sigmoid(logits), targets)


def multiclass_dice(logits, labels, smooth=1):
    probs = torch.softmax(logits, dim=1)
    onehot = F.one_hot(labels, logits.shape[1]).permute(0, 3, 1, 2).float()
    probs = probs.reshape(-1)
    onehot = onehot.reshape(-1)
    intersection = (probs * onehot).sum()
    return 1 - (2 * intersection + smooth) / (probs.sum() + onehot.sum() + smooth)


def cross_entropy_of_softmax(logits, labels):
    return nn.CrossEntropyLoss()(torch.softmax(logits, dim=1), labels)
