import torch


def mean_relative_error(pred, target, mask=None, floor=1e-2):
    """Mean of |pred - target| / max(|target|, floor).

    Targets may have either sign and may be zero. With a mask only the
    positions where it is true count; an empty mask gives 0.
    """
    if mask is not None:
        keep = mask.bool()
        pred, target = pred[keep], target[keep]
    if target.numel() == 0:
        return pred.sum() * 0.0
    err = (pred - target).abs() / target.abs().clamp(min=floor)
    return err.mean()
