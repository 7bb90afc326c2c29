from itertools import permutations

import torch
import torch.nn as nn


class PITLoss(nn.Module):
    """Utterance-level permutation invariant training with negative SI-SNR.

    estimate, target: (B, S, T). For every utterance the assignment of the
    estimated sources to the targets with the lowest loss is used.
    """

    def __init__(self, eps=1e-8):
        super().__init__()
        self.eps = eps

    def neg_si_snr(self, est, ref):
        est = est - est.mean(dim=-1, keepdim=True)
        ref = ref - ref.mean(dim=-1, keepdim=True)
        scale = (est * ref).sum(-1, keepdim=True) / (ref.pow(2).sum(-1, keepdim=True) + self.eps)
        proj = scale * ref
        noise = est - proj
        ratio = (proj.pow(2).sum(-1) + self.eps) / (noise.pow(2).sum(-1) + self.eps)
        return -10 * torch.log10(ratio)

    def forward(self, estimate, target):
        assert estimate.shape == target.shape
        num_sources = target.shape[1]
        best = None
        for perm in permutations(range(num_sources)):
            loss = self.neg_si_snr(estimate, target[:, list(perm)]).mean()
            if best is None or loss < best:
                best = loss
        return best
