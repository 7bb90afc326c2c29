import torch


def cox_partial_likelihood(log_hz, event, time):
    """Negative Cox partial log likelihood (no ties), averaged over the events.

    log_hz: (N,) log hazard ratios
    event: (N,) integer tensor, 1 if the event was observed and 0 if censored
    time: (N,) event or censoring times
    """
    order = torch.argsort(time)
    log_hz_sorted = log_hz[order]
    event_sorted = event[order]
    log_denominator = torch.logcumsumexp(log_hz_sorted.flip(0), dim=0).flip(0)
    pll = (log_hz_sorted - log_denominator)[event_sorted]
    return -pll.sum() / event.sum().clamp(min=1)
