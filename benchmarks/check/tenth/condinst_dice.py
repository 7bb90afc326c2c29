import torch


def dice_loss(x, target):
    """Dice loss averaged over instances; x: mask scores in [0,1], target: binary masks, (n_inst, H, W)"""
    eps = 1.0
    n_inst = x.size(0)
    x = x.reshape(n_inst, -1)
    target = target.reshape(n_inst, -1)
    intersection = (x * target).sum(dim=1)
    union = (x ** 2.0).sum(dim=1) + (target ** 2.0).sum(dim=1) + eps
    loss = 1 - (2 * intersection / union)
    return loss.mean()
