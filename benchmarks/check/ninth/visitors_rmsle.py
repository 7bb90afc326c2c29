import torch


def visitors_rmsle(pred, actual, eps=1e-9):
    """Root mean squared logarithmic error of visitor counts.

    ``sqrt(mean((log(1 + pred) - log(1 + actual))**2) + eps)``. Negative
    predictions count as 0. The small ``eps`` keeps the root differentiable, so
    the smallest value is ``sqrt(eps)``.

    Args:
        pred: predicted counts, any shape
        actual: counts >= 0 of the same shape
    """
    if pred.shape != actual.shape:
        raise ValueError(f"shapes differ: {tuple(pred.shape)} and {tuple(actual.shape)}")
    d = torch.log1p(pred.clamp(min=0)) - torch.log1p(actual.to(pred.dtype))
    return (d.square().mean() + eps).sqrt()
