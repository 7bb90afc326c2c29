import torch


def cox_loss(log_hazard, time, event):
    """Negative log partial likelihood (Breslow ties), averaged over the events.

    Samples may come in any order. log_hazard, time, event: (N,) or (N, 1).
    Without any event the loss is 0.
    """
    h = log_hazard.reshape(-1)
    t = time.reshape(-1)
    e = event.reshape(-1).to(h.dtype)
    at_risk = t[None, :] >= t[:, None]
    log_den = torch.logsumexp(h[None, :].masked_fill(~at_risk, float("-inf")), dim=1)
    return ((log_den - h) * e).sum() / e.sum().clamp(min=1)
