import torch


def trial_breslow(log_risk, durations, events):
    """Cox negative partial log-likelihood with Breslow's handling of ties.

    Patients with the same duration are all in each other's risk set. The sum
    over the events is divided by the number of events; a batch without events
    gives 0.

    Args:
        log_risk: (N,) or (N, 1)
        durations: (N,) or (N, 1)
        events: (N,) or (N, 1), nonzero = event
    """
    h = log_risk.reshape(-1)
    t = durations.reshape(-1)
    e = (events.reshape(-1) != 0).to(h.dtype)
    t, order = torch.sort(t, descending=True)
    h, e = h[order], e[order]
    running = torch.logcumsumexp(h, dim=0)
    last = torch.searchsorted(-t.contiguous(), -t.contiguous(), right=True) - 1
    return -((h - running[last]) * e).sum() / e.sum().clamp(min=1)
