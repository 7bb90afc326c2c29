import torch
import torch.nn.functional as F


def nll_discrete_hazard(logits, interval, event):
    """Negative log likelihood of a discrete-time survival model.

    logits: (N, T), the hazard of interval j is sigmoid(logits[:, j])
    interval: (N,) index of the interval of the event or the censoring
    event: (N,) 1 = event, 0 = censored (survived the interval)
    """
    steps = torch.arange(logits.size(1), device=logits.device)
    at_risk = (steps <= interval.unsqueeze(1)).to(logits.dtype)
    died = (steps == interval.unsqueeze(1)).to(logits.dtype) * event.unsqueeze(1).to(logits.dtype)
    bce = F.binary_cross_entropy_with_logits(logits, died, reduction="none")
    return (bce * at_risk).sum(dim=1).mean()
