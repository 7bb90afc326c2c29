from itertools import permutations

import torch
import torch.nn as nn


def pairwise_neg_sisdr(est, target, eps=1e-8):
    """Negative SI-SDR (dB) of every estimate with every target.

    est, target: (B, S, T). Returns (B, S_est, S_target).
    """
    est = est - est.mean(dim=-1, keepdim=True)
    target = target - target.mean(dim=-1, keepdim=True)

    s_est = est.unsqueeze(2)
    s_tgt = target.unsqueeze(1)
    dot = (s_est * s_tgt).sum(dim=-1, keepdim=True)
    energy = s_tgt.pow(2).sum(dim=-1, keepdim=True) + eps
    proj = dot / energy * s_tgt
    noise = s_est - proj

    ratio = (proj.pow(2).sum(dim=-1) + eps) / (noise.pow(2).sum(dim=-1) + eps)
    return -10 * torch.log10(ratio)


class PITSISDRLoss(nn.Module):
    """Utterance level permutation invariant SI-SDR loss.

    The best assignment of the estimates to the speakers is searched for each
    mixture on its own.
    """

    def __init__(self, n_src=2):
        super().__init__()
        self.n_src = n_src
        self.perms = list(permutations(range(n_src)))

    def forward(self, est, target):
        """est, target: (B, n_src, T)"""
        pw = pairwise_neg_sisdr(est, target)
        src = torch.arange(self.n_src, device=est.device)
        losses = []
        for perm in self.perms:
            idx = torch.tensor(perm, device=est.device)
            losses.append(pw[:, idx, src].mean(dim=1))
        best = torch.stack(losses, dim=1).min(dim=1).values
        return best.mean()
