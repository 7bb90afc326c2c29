import torch
import torch.nn as nn


class CoxPHLoss(nn.Module):
    """Cox partial likelihood with Breslow's treatment of ties.

    risk, time, event can be (N,) or (N, 1). A batch without events gives 0.
    """

    def forward(self, risk, time, event):
        risk = risk.reshape(-1)
        time = time.reshape(-1)
        event = event.reshape(-1).to(risk.dtype)

        in_risk_set = time.unsqueeze(0) >= time.unsqueeze(1)   # [i, j]: j at risk when i fails
        scores = risk.unsqueeze(0).expand(len(risk), -1)
        log_den = scores.masked_fill(~in_risk_set, float("-inf")).logsumexp(dim=1)
        return -((risk - log_den) * event).sum() / event.sum().clamp(min=1)
