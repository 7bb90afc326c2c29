import torch
import torch.nn as nn


class CoxPHLoss(nn.Module):
    """Negative log partial likelihood (Breslow), mean over the observed events.

    risk: (N,) or (N, 1) log hazard;  time: (N,) follow up;  event: (N,) 1 = died, 0 = censored
    """

    def forward(self, risk, time, event):
        risk = risk.reshape(-1)
        time = time.reshape(-1)
        event = event.reshape(-1).to(risk.dtype)
        # at_risk[i, j] is True if patient j is still at risk when i has his event
        at_risk = time.unsqueeze(0) >= time.unsqueeze(1)
        scores = risk.unsqueeze(0).expand(len(risk), -1).masked_fill(~at_risk, float('-inf'))
        log_denominator = torch.logsumexp(scores, dim=1)
        ll = (risk - log_denominator) * event
        return -ll.sum() / event.sum().clamp(min=1.0)
