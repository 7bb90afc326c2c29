import torch


def smape_loss(forecast, target, mask):
    """Symmetric MAPE in percent (0 .. 200) over the entries with mask == 1.

    An entry where forecast and target are both 0 counts as a perfect forecast.
    """
    denom = forecast.abs() + target.abs()
    safe = torch.where(denom > 0, denom, torch.ones_like(denom))
    smape = 200.0 * (forecast - target).abs() / safe
    mask = mask.to(forecast.dtype)
    return (smape * mask).sum() / mask.sum().clamp(min=1.0)
