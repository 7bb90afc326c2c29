import torch
import torch.nn.functional as F


def nll_logistic_hazard(phi, idx_durations, events, reduction='mean'):
    """Negative log-likelihood of the discrete time hazard parametrization.

    The hazard in interval j is sigmoid(phi_j). A subject contributes the intervals up to and
    including its own; the last one counts as event or as survived.

    Arguments:
        phi {torch.tensor} -- (n, m) estimates in (-inf, inf)
        idx_durations {torch.tensor} -- (n,) interval index of the event or censoring
        events {torch.tensor} -- (n,) indicator, 1: event, 0: censored
    """
    if phi.shape[1] <= idx_durations.max():
        raise ValueError("Network output `phi` is too small for `idx_durations`."
                         f" Need at least `phi.shape[1] = {idx_durations.max().item() + 1}`,"
                         f" but got `phi.shape[1] = {phi.shape[1]}`")
    events = events.view(-1, 1).to(phi.dtype)
    idx_durations = idx_durations.view(-1, 1)
    y_bce = torch.zeros_like(phi).scatter(1, idx_durations, events)
    bce = F.binary_cross_entropy_with_logits(phi, y_bce, reduction='none')
    loss = bce.cumsum(1).gather(1, idx_durations).view(-1)
    if reduction == 'none':
        return loss
    return loss.mean() if reduction == 'mean' else loss.sum()
