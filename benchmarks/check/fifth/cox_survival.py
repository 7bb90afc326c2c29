import torch
import torch.nn as nn


class NegPartialLogLikelihood(nn.Module):
    """Negative Cox partial log likelihood (no ties in the event times).

    Args:
        reduction: "mean" or "sum" over the observed events.
    Inputs: log_hz (N,) predicted log relative hazards; event (N,) indicator, 1
    if the event was observed and 0 if censored; time (N,) event or censoring
    time. A batch without any event gives 0.
    """

    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, log_hz, event, time):
        if event.sum() == 0:
            return log_hz.sum() * 0.0
        order = torch.argsort(time)
        log_hz_sorted = log_hz[order]
        event_sorted = event[order]

        # risk set of subject i: everybody with a time >= time_i
        log_denominator = torch.logcumsumexp(log_hz_sorted.flip(0), dim=0).flip(0)
        pll = (log_hz_sorted - log_denominator)[event_sorted]
        return -pll.mean() if self.reduction == "mean" else -pll.sum()
