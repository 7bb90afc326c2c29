import torch
import torch.nn as nn


class ListMLELoss(nn.Module):
    """ListMLE: negative Plackett-Luce log likelihood of the ideal ordering.

    scores, labels, mask: (B, L). Lists have different lengths; mask is True at
    real documents and False at the padding of the shorter lists. The loss is
    averaged over the real documents.
    """

    PAD_LOGIT = 1e-16

    def forward(self, scores, labels, mask):
        mask = mask.bool()
        scores = scores.masked_fill(~mask, self.PAD_LOGIT)
        order_key = labels.to(scores.dtype).masked_fill(~mask, float("-inf"))
        order = order_key.argsort(dim=1, descending=True, stable=True)

        scores = scores.gather(1, order)
        sorted_mask = mask.gather(1, order)
        log_norm = torch.logcumsumexp(scores.flip(1), dim=1).flip(1)
        log_probs = (scores - log_norm).masked_fill(~sorted_mask, 0.0)
        return -log_probs.sum() / mask.sum().clamp(min=1)
