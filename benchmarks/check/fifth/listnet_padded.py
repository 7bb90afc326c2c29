import torch
import torch.nn as nn


class ListNetLoss(nn.Module):
    """ListNet top-one cross entropy for padded lists.

    Args:
        temperature: of the target distribution softmax(relevance / temperature).
    scores, relevance, mask: (B, L), mask is True for real documents. Mean over
    the lists that have at least one document.
    """

    def __init__(self, temperature=1.0):
        super().__init__()
        self.temperature = temperature

    def forward(self, scores, relevance, mask):
        mask = mask.bool()
        rows = mask.any(dim=1)
        if not rows.any():
            return scores.sum() * 0.0
        scores, relevance, mask = scores[rows], relevance[rows].to(scores.dtype), mask[rows]
        neg_inf = float("-inf")
        target = torch.softmax((relevance / self.temperature).masked_fill(~mask, neg_inf), dim=1)
        log_p = torch.log_softmax(scores.masked_fill(~mask, neg_inf), dim=1)
        log_p = log_p.masked_fill(~mask, 0.0)
        return -(target * log_p).sum(dim=1).mean()
