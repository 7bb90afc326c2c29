import torch
import torch.nn as nn


class OmicsCox(nn.Module):
    """Negative Cox partial log-likelihood of a mini-batch.

    The risk set of patient i holds all patients j with ``time[j] >= time[i]``.
    The terms of the patients with an event are summed and divided by the size
    of the batch.

    Shape:
        - hazard: (N, 1) log hazard ratios
        - time: (N, 1) follow-up times
        - event: (N, 1), 1 = death observed, 0 = censored
    """

    def forward(self, hazard, time, event):
        theta = hazard.reshape(-1)
        time = time.reshape(-1)
        event = event.to(theta.dtype)
        at_risk = time[None, :] >= time[:, None]
        scores = theta[None, :].expand(len(theta), -1)
        log_risk = torch.logsumexp(scores.masked_fill(~at_risk, float("-inf")), dim=1)
        return -torch.mean((theta - log_risk) * event)
