from itertools import permutations

import torch
from torch import nn


class PITSISDRLoss(nn.Module):
    """Negative SI-SDR with permutation invariant training.

    Args:
        n_src: number of sources
        zero_mean: remove the mean of every signal first
        clamp_db: if given, estimates better than this do not get a gradient any more
    """

    def __init__(self, n_src=2, zero_mean=True, clamp_db=None, eps=1e-8):
        super().__init__()
        self.zero_mean = zero_mean
        self.clamp_db = clamp_db
        self.eps = eps
        self.register_buffer("perms", torch.tensor(list(permutations(range(n_src)))))

    def pairwise_neg_sisdr(self, est, ref):
        # (B, n_est, n_ref)
        if self.zero_mean:
            est = est - est.mean(dim=-1, keepdim=True)
            ref = ref - ref.mean(dim=-1, keepdim=True)
        est = est.unsqueeze(2)
        ref = ref.unsqueeze(1)
        dot = (est * ref).sum(-1, keepdim=True)
        energy = ref.pow(2).sum(-1, keepdim=True) + self.eps
        proj = dot * ref / energy
        noise = est - proj
        ratio = (proj.pow(2).sum(-1) + self.eps) / (noise.pow(2).sum(-1) + self.eps)
        sisdr = 10 * torch.log10(ratio)
        if self.clamp_db is not None:
            sisdr = sisdr.clamp(max=self.clamp_db)
        return -sisdr

    def forward(self, est_targets, targets):
        """est_targets, targets: (B, n_src, time); returns the loss and the best permutation (B, n_src)

        best[b, j] is the estimate that belongs to source j.
        """
        pw = self.pairwise_neg_sisdr(est_targets, targets)
        n_src = pw.shape[1]
        src = torch.arange(n_src, device=pw.device)
        # (B, n_perms)
        loss_set = pw[:, self.perms, src].mean(-1)
        min_loss, idx = loss_set.min(dim=1)
        return min_loss.mean(), self.perms[idx]
