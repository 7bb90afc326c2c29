import torch
import torch.nn as nn
import torch.nn.functional as F


class MixLoss(nn.Module):
    """CE for mixup / cutmix batches with label smoothing.

    y_a, y_b : (B,) long
    lam      : float or (B,) tensor, share of y_a in each image
    Falls back to plain smoothed CE if y_b is None (validation).
    """

    def __init__(self, smoothing=0.1, reduction='mean'):
        super().__init__()
        self.smoothing = smoothing
        self.reduction = reduction

    def _smooth_nll(self, logp, y):
        nll = -logp.gather(dim=-1, index=y.unsqueeze(1)).squeeze(1)
        smooth = -logp.mean(dim=-1)
        return (1.0 - self.smoothing) * nll + self.smoothing * smooth

    def forward(self, preds, y_a, y_b=None, lam=1.0):
        logp = F.log_softmax(preds.float(), dim=-1)
        loss = self._smooth_nll(logp, y_a)
        if y_b is not None:
            loss = lam * loss + (1.0 - lam) * self._smooth_nll(logp, y_b)
        if self.reduction == 'mean':
            return loss.mean()
        elif self.reduction == 'sum':
            return loss.sum()
        return loss
