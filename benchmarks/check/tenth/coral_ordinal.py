import torch
import torch.nn.functional as F


def coral_loss(logits, y, importance_weights=None):
    """CORAL ordinal regression loss.

    logits: (N, K-1), logit of P(y > k)
    y: ranks 0..K-1, shape (N,)
    """
    K1 = logits.shape[1]
    levels = (y.unsqueeze(1) > torch.arange(K1, device=y.device).unsqueeze(0)).to(logits.dtype)
    term = F.logsigmoid(logits) * levels + (F.logsigmoid(logits) - logits) * (1 - levels)
    if importance_weights is not None:
        term = term * importance_weights
    return torch.mean(-torch.sum(term, dim=1))
