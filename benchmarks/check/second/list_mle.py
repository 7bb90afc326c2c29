import torch
import torch.nn as nn


class ListMLELoss(nn.Module):
    """ListMLE for lists of different length.

    scores, labels: (B, L) padded to the longest list; mask: (B, L) bool, True
    for real items. Padding does not influence the loss of a list.
    """

    def forward(self, scores, labels, mask):
        labels = labels.to(scores.dtype).masked_fill(~mask, float("-inf"))
        order = labels.argsort(dim=1, descending=True)
        mask = mask.gather(1, order)
        scores = scores.gather(1, order).masked_fill(~mask, 0.0)

        # log of sum_{j >= i} exp(s_j)
        log_norm = torch.logcumsumexp(scores.flip(1), dim=1).flip(1)
        nll = (log_norm - scores).masked_fill(~mask, 0.0)
        return nll.sum(dim=1).mean()
