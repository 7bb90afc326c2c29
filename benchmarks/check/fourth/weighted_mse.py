import torch


def weighted_mse(pred, target, weight=None):
    """Weighted mean squared error for a scalar regression head.

    pred: (N, 1) output of nn.Linear(hidden, 1)
    target: (N,) values
    weight: (N,) sample weights, all ones if not given
    """
    if weight is None:
        weight = torch.ones_like(target)
    sq = (pred - target) ** 2
    return (weight * sq).sum() / weight.sum().clamp(min=1e-8)
