import torch
import torch.nn as nn
import torch.nn.functional as F


class HierarchicalCrossEntropy(nn.Module):
    """Cross entropy on every level of a label tree.

    The network predicts the leaves only. The log probability of a coarse
    class is the logsumexp over the log probabilities of its leaves.

    Args:
        parents: list of the coarse levels; parents[l][leaf] is the index of
            the ancestor of the leaf on this level.
        level_weights: weights of [leaf level, *coarse levels].
    """

    def __init__(self, parents, level_weights=None):
        super().__init__()
        self.num_levels = len(parents) + 1
        for i, p in enumerate(parents):
            self.register_buffer(f"parent_{i}", torch.tensor(p, dtype=torch.long))
        if level_weights is None:
            level_weights = [1.0] * self.num_levels
        if len(level_weights) != self.num_levels:
            raise ValueError("one weight per level")
        self.level_weights = level_weights

    def coarse_log_probs(self, log_p, parent):
        n_coarse = int(parent.max()) + 1
        groups = []
        for c in range(n_coarse):
            groups.append(torch.logsumexp(log_p[:, parent == c], dim=1))
        return torch.stack(groups, dim=1)

    def forward(self, logits, target):
        """logits: (N, num_leaves), target: (N,) leaf labels"""
        log_p = F.log_softmax(logits, dim=1)
        loss = self.level_weights[0] * F.nll_loss(log_p, target)
        for i in range(self.num_levels - 1):
            parent = getattr(self, f"parent_{i}")
            coarse = self.coarse_log_probs(log_p, parent)
            loss = loss + self.level_weights[i + 1] * F.nll_loss(coarse, parent[target])
        return loss / sum(self.level_weights)
