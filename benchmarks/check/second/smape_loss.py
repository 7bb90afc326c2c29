import torch


def smape_loss(forecast, actual, mask=None, eps=1e-3):
    """Smoothed symmetric MAPE: 2 |f - a| / (|f| + |a| + eps), in [0, 2].

    forecast, actual: (B, H). mask (B, H), True where the value counts. A zero
    forecast of a zero value costs 0.
    """
    if forecast.shape != actual.shape:
        raise ValueError("forecast and actual differ in shape")
    if mask is None:
        mask = torch.ones_like(actual, dtype=torch.bool)
    mask = mask.bool()
    # outside the mask actual may be NaN: replace before, not after, the arithmetic
    actual = torch.where(mask, actual, torch.zeros_like(actual))
    forecast = torch.where(mask, forecast, torch.zeros_like(forecast))
    ratio = 2 * (forecast - actual).abs() / (forecast.abs() + actual.abs() + eps)
    return ratio.sum() / mask.sum().clamp(min=1)
