import torch
import torch.nn as nn
import torch.nn.functional as F


class InBatchSoftmax(nn.Module):
    """Two-tower retrieval loss with in-batch negatives.

    Scores are corrected by the log sampling probability of the items (popular items are
    oversampled as negatives), and other rows with the same item are not used as negatives.

        loss_i = - log exp(s_ii) / sum_j exp(s_ij),  s_ij = <u_i, v_j> / tau - log p_j

    Args:
        tau: temperature
        normalize: use cosine similarities
    """

    def __init__(self, tau=0.07, normalize=True):
        super().__init__()
        self.tau = tau
        self.normalize = normalize

    def forward(self, user_emb, item_emb, item_ids, item_prob=None, sample_weight=None):
        if self.normalize:
            user_emb = F.normalize(user_emb, dim=-1)
            item_emb = F.normalize(item_emb, dim=-1)
        scores = user_emb @ item_emb.T / self.tau
        if item_prob is not None:
            scores = scores - torch.log(item_prob.clamp(min=1e-12)).unsqueeze(0)

        n = scores.size(0)
        eye = torch.eye(n, dtype=torch.bool, device=scores.device)
        collision = (item_ids.unsqueeze(0) == item_ids.unsqueeze(1)) & ~eye
        scores = scores.masked_fill(collision, float('-inf'))

        labels = torch.arange(n, device=scores.device)
        loss = F.cross_entropy(scores, labels, reduction='none')
        if sample_weight is None:
            return loss.mean()
        return (loss * sample_weight).sum() / sample_weight.sum().clamp(min=1e-8)
