import torch


def neg_partial_log_likelihood(log_hz: torch.Tensor, event: torch.Tensor, time: torch.Tensor,
                               reduction: str = "mean") -> torch.Tensor:
    """Negative Cox partial log-likelihood (no correction for tied times).

    Args:
        log_hz: (n,) or (n, 1) log relative hazards
        event: (n,) event indicator, 1 if the event was observed and 0 if censored
        time: (n,) time to event or censoring
        reduction: "mean" averages over the observed events, "sum" adds them up

    Each observed event contributes log_hz_i - log(sum of exp(log_hz_j) over all j still at risk at
    its time); censored subjects only enter the risk sets.
    """
    if event.sum() == 0:
        return log_hz.sum() * 0.0

    time_sorted, idx = torch.sort(time)
    log_hz_sorted = log_hz.reshape(-1)[idx]
    event_sorted = event.reshape(-1)[idx].long()

    # risk set of subject i: everybody with time >= time_i
    log_hz_flipped = log_hz_sorted.flip(0)
    log_denominator = torch.logcumsumexp(log_hz_flipped, dim=0).flip(0)
    pll = (log_hz_sorted - log_denominator)[event_sorted]

    if reduction == "sum":
        return -pll.sum()
    return -pll.mean()
