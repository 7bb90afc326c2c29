import torch
import torch.nn as nn


class CoxBreslowLoss(nn.Module):
    """Negative partial log likelihood with Breslow's treatment of ties.

    log_h (N,), durations (N,), events (N,) with 1 for an observed event. Mean
    over the events; 0 for a batch in which everybody is censored.
    """

    def forward(self, log_h, durations, events):
        log_h = log_h.reshape(-1)
        durations, events = durations.reshape(-1), events.reshape(-1).bool()
        if not events.any():
            return log_h.sum() * 0.0
        at_risk = durations.unsqueeze(0) >= durations[events].unsqueeze(1)  # E x N
        relative = log_h.unsqueeze(0) - log_h[events].unsqueeze(1)
        relative = relative.masked_fill(~at_risk, float("-inf"))
        return torch.logsumexp(relative, dim=1).mean()
