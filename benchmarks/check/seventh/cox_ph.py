import torch


def neg_partial_log_likelihood(log_hz, event, time, reduction="mean"):
    """Negative partial log likelihood of the Cox proportional hazards model.

    Assumes no ties in the event times.

    Args:
        log_hz: (n,) or (n, 1) estimated log hazards.
        event: (n,) event indicator, 1 for an observed event, 0 for censored.
        time: (n,) time to event or censoring.
        reduction: 'mean' over the events or 'sum'.
    """
    log_hz = log_hz.reshape(-1)
    event = event.reshape(-1)
    time = time.reshape(-1)

    if not bool((event > 0).any()):
        # nothing to learn from a fully censored batch
        return log_hz.sum() * 0.0

    # sort by ascending time
    time_sorted, idx = torch.sort(time)
    log_hz_sorted = log_hz[idx]
    event_sorted = event[idx]

    # the risk set of i are all subjects with a time >= time_i
    log_hz_flipped = log_hz_sorted.flip(0)
    log_denominator = torch.logcumsumexp(log_hz_flipped, dim=0).flip(0)

    pll = (log_hz_sorted - log_denominator)[event_sorted]
    loss = -pll
    return loss.sum() if reduction == "sum" else loss.mean()
