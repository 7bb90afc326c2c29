from itertools import permutations

import torch
import torch.nn as nn


class PITSISDRLoss(nn.Module):
    """negative SI-SDR in dB with utterance-level permutation invariant training.

    est, ref: (batch, n_src, time)
    """

    def __init__(self, zero_mean=True, eps=1e-8, return_perm=False):
        super().__init__()
        self.zero_mean = zero_mean
        self.eps = eps
        self.return_perm = return_perm

    def forward(self, est, ref):
        assert est.shape == ref.shape and est.dim() == 3
        if self.zero_mean:
            est = est - est.mean(dim=2, keepdim=True)
            ref = ref - ref.mean(dim=2, keepdim=True)

        # pairwise: [batch, est, ref]
        e, r = est.unsqueeze(2), ref.unsqueeze(1)
        dot = (e * r).sum(3, keepdim=True)
        energy = (r ** 2).sum(3, keepdim=True) + self.eps
        proj = dot * r / energy
        noise = e - proj
        ratio = (proj ** 2).sum(3) / ((noise ** 2).sum(3) + self.eps)
        pair_wise = -10 * torch.log10(ratio + self.eps)

        n_src = est.shape[1]
        perms = list(permutations(range(n_src)))
        idx = torch.arange(n_src, device=est.device)
        all_losses = torch.stack([pair_wise[:, idx, list(p)].mean(dim=1) for p in perms], dim=1)
        min_loss, best = all_losses.min(dim=1)
        if self.return_perm:
            return min_loss.mean(), torch.tensor(perms, device=est.device)[best]
        return min_loss.mean()
