import torch


def tweedie_deviance(pred, target, power=1.5, exposure=None, eps=1e-6):
    """Mean unit Tweedie deviance for claim costs, 1 < power < 2.

    Args:
        pred: predicted mean (N,), positive.
        target: observed cost (N,), zero or positive.
        exposure: optional policy exposure (N,) used as sample weight.
    """
    if not 1 < power < 2:
        raise ValueError("power must lie in (1, 2)")
    mu = pred.clamp(min=eps)
    y = target
    a = y.pow(2 - power) / ((1 - power) * (2 - power))
    b = y * mu.pow(1 - power) / (1 - power)
    c = mu.pow(2 - power) / (2 - power)
    deviance = 2 * a - b + c
    if exposure is None:
        return deviance.mean()
    return (deviance * exposure).sum() / exposure.sum()
