import torch as t


def _divide_no_nan(a, b):
    """a / b, 0 where b is 0"""
    safe = t.where(b == 0, t.ones_like(b), b)
    return t.where(b == 0, t.zeros_like(a / safe), a / safe)


def mase_loss(insample, freq, forecast, target, mask):
    """
    MASE loss as defined in "Scaled Errors", Hyndman & Koehler 2006.

    :param insample: history, (batch, time_i)
    :param freq: seasonal period of the data
    :param forecast: (batch, time_o)
    :param target: (batch, time_o)
    :param mask: 0/1 mask, (batch, time_o)
    A series whose seasonal naive error is 0 gets weight 0.
    """
    masep = t.mean(t.abs(insample[:, freq:] - insample[:, :-freq]), dim=1)
    masked_masep_inv = _divide_no_nan(mask.to(forecast.dtype), masep[:, None].expand_as(mask))
    return (t.abs(target - forecast) * masked_masep_inv).sum() / mask.sum().clamp(min=1)
