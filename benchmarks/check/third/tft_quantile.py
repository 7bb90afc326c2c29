import torch


def multi_horizon_quantile_loss(y, y_pred, quantiles=(0.1, 0.5, 0.9), mask=None):
    '''
    pinball loss for multi-horizon forecasts, summed over the quantiles, averaged over the steps

    y:       (batch, horizon)
    y_pred:  (batch, horizon, n_quantiles)
    mask:    (batch, horizon), 1 = observed, optional
    '''
    q = torch.as_tensor(quantiles, dtype=y_pred.dtype, device=y_pred.device)
    err = y.unsqueeze(-1) - y_pred
    if mask is not None:
        # unobserved steps may hold nan
        err = torch.where(mask.unsqueeze(-1) > 0, err, torch.zeros_like(err))
    loss = q * torch.clamp(err, min=0.) + (1. - q) * torch.clamp(-err, min=0.)
    loss = loss.sum(-1)
    if mask is None:
        return loss.mean()
    mask = mask.to(loss.dtype)
    return (loss * mask).sum() / mask.sum().clamp(min=1.)
