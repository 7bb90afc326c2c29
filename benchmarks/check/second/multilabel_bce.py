import torch
import torch.nn as nn
import torch.nn.functional as F


class MultiLabelLoss(nn.Module):
    """BCE over independent labels with a weight for the positives.

    scores: raw outputs of the last linear layer, (N, L)
    targets: multi-hot, (N, L)
    """

    def __init__(self, pos_weight=None):
        super().__init__()
        self.register_buffer("pos_weight", None if pos_weight is None else torch.as_tensor(pos_weight))

    def forward(self, scores, targets):
        probs = torch.sigmoid(scores)
        return F.binary_cross_entropy_with_logits(
            probs, targets.to(scores.dtype), pos_weight=self.pos_weight
        )
