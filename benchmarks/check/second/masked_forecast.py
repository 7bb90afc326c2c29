import torch


def masked_mse(forecast, actual):
    """MSE over the observed time steps.

    forecast: (batch, horizon), actual: (batch, horizon) with NaN where the
    series was not observed. Missing steps neither add to the loss nor train
    the model.
    """
    observed = ~torch.isnan(actual)
    sq = (forecast - actual) ** 2
    sq = torch.where(observed, sq, torch.zeros_like(sq))
    return sq.sum() / observed.sum().clamp(min=1)
