import torch
import torch.nn as nn


class ReidHardTriplet(nn.Module):
    """Batch-hard triplet loss for person re-identification.

    For each anchor the farthest sample of its identity and the nearest one of
    another identity are used: ``max(d_ap - d_an + margin, 0)``, or
    ``softplus(d_ap - d_an)`` when ``margin`` is None. Anchors lacking a positive
    or a negative are skipped; without any anchor the loss is 0.

    Args:
        margin (float or None): default 0.3

    Shape:
        - feats: (N, D)
        - pids: (N,)
    """

    def __init__(self, margin=0.3):
        super().__init__()
        self.margin = margin

    def forward(self, feats, pids):
        d2 = (feats[:, None] - feats[None]).pow(2).sum(-1)
        dist = torch.sqrt(d2.clamp(min=1e-12))
        same = pids[:, None] == pids[None]
        pos = same & ~torch.eye(len(pids), dtype=torch.bool, device=pids.device)
        ok = pos.any(1) & (~same).any(1)
        d_ap = dist.masked_fill(~pos, float("-inf")).amax(1)[ok]
        d_an = dist.masked_fill(same, float("inf")).amin(1)[ok]
        if self.margin is None:
            loss = torch.nn.functional.softplus(d_ap - d_an)
        else:
            loss = torch.relu(d_ap - d_an + self.margin)
        return loss.sum() / max(int(ok.sum()), 1)
