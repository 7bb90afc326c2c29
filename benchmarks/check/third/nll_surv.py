import torch
import torch.nn as nn
import torch.nn.functional as F


class NLLSurvLoss(nn.Module):
    """Discrete-time survival NLL on hazard logits (Zadeh & Schmid 2020).

    h: (B, K) logits of the hazards, y: (B,) or (B, 1) bin of event / censoring,
    c: (B,) or (B, 1) censorship status, 1 = censored
    alpha: share of the extra weight on uncensored patients
    """

    def __init__(self, alpha=0.0, reduction='mean'):
        super().__init__()
        self.alpha = alpha
        self.reduction = reduction

    def forward(self, h, y, c):
        y = y.reshape(-1, 1).long()
        c = c.reshape(-1, 1).to(h.dtype)

        # log S(0) = 0, then log S(k) = sum log(1 - hazard)
        log_s = torch.cumsum(F.logsigmoid(-h), dim=1)
        log_s_padded = torch.cat([torch.zeros_like(log_s[:, :1]), log_s], dim=1)

        s_prev = torch.gather(log_s_padded, 1, y)
        s_this = torch.gather(log_s_padded, 1, y + 1)
        h_this = torch.gather(F.logsigmoid(h), 1, y)

        uncensored_loss = -(1 - c) * (s_prev + h_this)
        censored_loss = -c * s_this
        loss = (1 - self.alpha) * (censored_loss + uncensored_loss) + self.alpha * uncensored_loss
        return loss.mean() if self.reduction == 'mean' else loss.sum()
