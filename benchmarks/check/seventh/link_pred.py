import torch
import torch.nn as nn
import torch.nn.functional as F


class LinkPredictionLoss(nn.Module):
    """Loss of a knowledge graph / link prediction decoder (DistMult).

    The true edges are scored against ``num_neg`` corrupted edges each (the
    head or the tail replaced). Supports uniform and self-adversarial
    weighting of the negatives.

    Args:
        num_relations: number of relation types.
        dim: embedding size.
        adversarial_temperature: > 0 for self-adversarial weighting.
        l2: weight of the L2 penalty on the relation embeddings.
    """

    def __init__(self, num_relations, dim, adversarial_temperature=1.0, l2=1e-2):
        super().__init__()
        self.rel = nn.Parameter(torch.empty(num_relations, dim))
        nn.init.xavier_uniform_(self.rel)
        self.temperature = adversarial_temperature
        self.l2 = l2

    def score(self, x, edge_index, edge_type):
        """x: (N, d), edge_index: (2, ...), edge_type: (...)"""
        head, tail = x[edge_index[0]], x[edge_index[1]]
        return (head * self.rel[edge_type] * tail).sum(dim=-1)

    def forward(self, x, pos_edge_index, edge_type, neg_edge_index):
        """
        x: (N, d) node embeddings
        pos_edge_index: (2, E), edge_type: (E,)
        neg_edge_index: (2, E, K) corrupted versions of each edge
        """
        pos = self.score(x, pos_edge_index, edge_type)
        k = neg_edge_index.shape[-1]
        neg = self.score(x, neg_edge_index, edge_type.unsqueeze(1).expand(-1, k))

        if self.temperature > 0:
            # the weights are not differentiated
            weight = F.softmax(neg.detach() * self.temperature, dim=1)
        else:
            weight = torch.full_like(neg, 1.0 / max(k, 1))
        pos_loss = -F.logsigmoid(pos)
        neg_loss = -(weight * F.logsigmoid(-neg)).sum(dim=1)

        count = max(pos.shape[0], 1)
        loss = (pos_loss + neg_loss).sum() / (2 * count)
        return loss + self.l2 * self.rel.pow(2).mean()
