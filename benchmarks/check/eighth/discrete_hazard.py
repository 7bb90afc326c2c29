import torch
import torch.nn.functional as F


def discrete_hazard_nll(phi: torch.Tensor, interval: torch.Tensor, event: torch.Tensor) -> torch.Tensor:
    """Negative log-likelihood of a discrete-time survival model.

    ``sigmoid(phi[i, j])`` is the hazard of subject i in interval j. A subject
    with an event in interval k survives the intervals before k and fails in
    k; a censored subject survives up to and including k. Later intervals do
    not enter. Returns the mean over the subjects.

    Args:
        phi: (N, J) logits of the hazards.
        interval: (N,) index k of the last observed interval.
        event: (N,) 1 for an event, 0 for censoring.
    """
    k = interval.view(-1, 1)
    died = torch.zeros_like(phi).scatter(1, k, event.view(-1, 1).to(phi.dtype))
    bce = F.binary_cross_entropy_with_logits(phi, died, reduction="none")
    loss = bce.cumsum(1).gather(1, k)
    return loss.mean()
