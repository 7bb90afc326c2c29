import torch


def neg_partial_log_likelihood(log_hz: torch.Tensor, event: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
    """Negative Cox partial log likelihood, averaged over the observed events.

    Args:
        log_hz: (N,) log hazards from the network.
        event: (N,) integer tensor, 1 if the event was observed and 0 if censored.
        time: (N,) time of the event or of censoring, without ties.
    """
    if event.sum() == 0:
        return log_hz.sum() * 0.0

    order = torch.argsort(time)
    log_hz_sorted = log_hz[order]
    event_sorted = event[order]

    log_denominator = torch.logcumsumexp(log_hz_sorted.flip(0), dim=0).flip(0)
    pll = (log_hz_sorted - log_denominator)[event_sorted]
    return -pll.mean()
