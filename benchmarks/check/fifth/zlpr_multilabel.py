import torch
import torch.nn as nn


class MultilabelCategoricalCrossentropy(nn.Module):
    """Softmax-style loss for multi-label problems (Su et al., ZLPR).

        log(1 + sum_neg exp(s)) + log(1 + sum_pos exp(-s))

    Labels with a score above 0 are predicted. logits, labels: (..., C), labels
    0 or 1.
    """

    def forward(self, logits, labels):
        pos_mask = labels.bool()
        neg_inf = float("-inf")
        neg = logits.masked_fill(pos_mask, neg_inf)
        pos = (-logits).masked_fill(~pos_mask, neg_inf)
        zero = torch.zeros_like(logits[..., :1])
        neg_loss = torch.logsumexp(torch.cat([neg, zero], dim=-1), dim=-1)
        pos_loss = torch.logsumexp(torch.cat([pos, zero], dim=-1), dim=-1)
        return (neg_loss + pos_loss).mean()
