import torch
import torch.nn.functional as F


def discrete_hazard_nll(logits, interval, event):
    """Logistic-hazard loss for discrete-time survival.

    logits: (N, T), hazard of interval t is sigmoid(logits[:, t])
    interval: (N,) index of the interval of the event or of the censoring
    event: (N,) 1 if observed, 0 if censored (then the subject survived its interval)
    """
    t = torch.arange(logits.size(1), device=logits.device).unsqueeze(0)
    idx = interval.unsqueeze(1)
    at_risk = (t <= idx).to(logits.dtype)
    died = (t == idx).to(logits.dtype) * event.unsqueeze(1).to(logits.dtype)
    bce = F.binary_cross_entropy_with_logits(logits, died, reduction="none")
    return (bce * at_risk).sum(dim=1).mean()
