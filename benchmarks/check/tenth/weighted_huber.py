import torch


def weighted_huber_loss(inputs, targets, weights=None, beta=1.0):
    """Huber loss with optional sample weights (imbalanced regression)"""
    l1_loss = torch.abs(inputs - targets)
    cond = l1_loss < beta
    loss = torch.where(cond, 0.5 * l1_loss ** 2 / beta, l1_loss - 0.5 * beta)
    if weights is not None:
        loss = loss * weights.expand_as(loss)
    loss = torch.mean(loss)
    return loss
