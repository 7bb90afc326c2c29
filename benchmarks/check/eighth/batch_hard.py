import torch
import torch.nn as nn
import torch.nn.functional as F


class BatchHardTriplet(nn.Module):
    """Batch-hard triplet loss (Hermans et al., 2017).

    Every sample is an anchor; its farthest sample of the same identity and
    its closest sample of another identity form the triplet. Anchors
    without a partner of either sort are skipped, and 0 is returned if no
    anchor is left.

    Args:
        margin: a number for the hinge ``max(0, m + d_p - d_n)`` or None for the
            soft margin ``log(1 + exp(d_p - d_n))``.

    Returns:
        (loss, number of anchors used)
    """

    def __init__(self, margin: float = None):
        super().__init__()
        self.margin = margin

    def forward(self, emb: torch.Tensor, pid: torch.Tensor):
        d = ((emb[:, None] - emb[None, :]).pow(2).sum(-1) + 1e-12).sqrt()
        same = pid[:, None] == pid[None, :]
        eye = torch.eye(len(pid), dtype=torch.bool, device=pid.device)
        pos, neg = same & ~eye, ~same
        usable = pos.any(1) & neg.any(1)

        d_p = d.masked_fill(~pos, float("-inf")).amax(1)[usable]
        d_n = d.masked_fill(~neg, float("inf")).amin(1)[usable]
        if self.margin is None:
            losses = F.softplus(d_p - d_n)
        else:
            losses = F.relu(self.margin + d_p - d_n)
        count = int(usable.sum())
        return losses.sum() / max(count, 1), count
