import torch.nn.functional as F


def nll_logistic_hazard(phi, idx_durations, events):
    """Negative log likelihood of the discrete time logistic hazard model.

    sum over the intervals up to the (event or censoring) interval of the
    binary cross entropy of the hazard; the label is 1 only in the interval
    of an observed event.

    Arguments:
        phi: (N, T) logits of the hazards.
        idx_durations: (N,) index of the interval.
        events: (N,) 1 for an event, 0 for right censored.
    """
    events = events.view(-1, 1).to(phi.dtype)
    idx_durations = idx_durations.view(-1, 1)
    y_bce = phi.new_zeros(phi.shape).scatter(1, idx_durations, events)
    bce = F.binary_cross_entropy_with_logits(phi, y_bce, reduction="none")
    # cumulative sum up to and including the last interval of the subject
    loss = bce.cumsum(1).gather(1, idx_durations).view(-1)
    return loss.mean()
