import torch
import torch.nn as nn


class CoxPHLoss(nn.Module):
    """Cox proportional hazards loss (no tie handling).

    The risk set of an event at time t holds everybody whose own time is >= t.

    Args:
        log_h: predicted log hazards, (N,)
        durations: observed times, (N,), any order
        events: 1 = event, 0 = censored
    """

    def forward(self, log_h, durations, events):
        order = torch.argsort(durations)
        log_h = log_h[order]
        events = events[order].to(log_h.dtype)
        log_risk = torch.logcumsumexp(log_h, dim=0)
        pll = (log_h - log_risk) * events
        return -pll.sum() / events.sum().clamp(min=1)
