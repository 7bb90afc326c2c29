import torch


def neg_partial_log_likelihood(log_hz, event, time, reduction="mean"):
    """Negative partial log likelihood of the Cox model, no ties in `time`.

    Args:
        log_hz: (n,) or (n, 1) log relative hazards
        event: (n,) integer event indicator, 1 = event observed, 0 = censored
        time: (n,) time to event or censoring
        reduction: "sum" or "mean" (over the observed events)
    """
    log_hz = log_hz.reshape(-1)
    _, idx = torch.sort(time)
    log_hz_sorted = log_hz[idx]
    event_sorted = event.long()[idx]

    # log of the summed hazards of everybody still at risk
    log_denominator = torch.logcumsumexp(log_hz_sorted.flip(0), dim=0).flip(0)
    pll = (log_hz_sorted - log_denominator)[event_sorted]

    loss = -pll.sum()
    if reduction == "mean":
        loss = loss / event_sorted.sum().clamp(min=1)
    return loss
