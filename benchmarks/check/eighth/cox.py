import torch


def cox_loss(hazard_pred: torch.Tensor, survtime: torch.Tensor, event: torch.Tensor) -> torch.Tensor:
    """Negative Cox partial log-likelihood (Breslow) of a batch.

    For every observed event the log risk of the patient is compared with the
    log-sum-exp over the risk set, i.e. all patients whose time is not
    earlier. The sum over the events is divided by the batch size.

    Args:
        hazard_pred: (N, 1) predicted log hazard ratio.
        survtime: (N,) event or censoring times.
        event: (N, 1) 1 if the event was observed, 0 if censored.
    """
    theta = hazard_pred.reshape(-1)
    time = survtime.reshape(-1)
    at_risk = time[None, :] >= time[:, None]

    scores = theta[None, :].expand(len(theta), -1)
    log_risk = torch.logsumexp(scores.masked_fill(~at_risk, float("-inf")), dim=1)
    loss_cox = -torch.mean((theta - log_risk) * event)
    return loss_cox
