from itertools import permutations

import torch
import torch.nn as nn


class PITSISDRLoss(nn.Module):
    """Permutation invariant negative SI-SDR in dB.

    est and ref are (B, S, T). The permutation is chosen per utterance.

    Args:
        return_perm: also return the index of the best permutation, (B,).
    """

    def __init__(self, eps=1e-8, return_perm=False):
        super().__init__()
        self.eps = eps
        self.return_perm = return_perm

    def forward(self, est, ref):
        n_src = ref.shape[1]
        est = est - est.mean(-1, keepdim=True)
        ref = ref - ref.mean(-1, keepdim=True)
        e, r = est.unsqueeze(2), ref.unsqueeze(1)  # pairwise: B x S_est x S_ref x T
        scale = (e * r).sum(-1, keepdim=True) / (r.pow(2).sum(-1, keepdim=True) + self.eps)
        proj = scale * r
        noise = e - proj
        ratio = (proj.pow(2).sum(-1) + self.eps) / (noise.pow(2).sum(-1) + self.eps)
        pairwise = -10 * torch.log10(ratio)  # B x S x S

        perms = list(permutations(range(n_src)))
        idx = torch.arange(n_src)
        per_perm = torch.stack([pairwise[:, idx, list(p)].mean(1) for p in perms], dim=1)
        best, which = per_perm.min(dim=1)
        return (best.mean(), which) if self.return_perm else best.mean()
