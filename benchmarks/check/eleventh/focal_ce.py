import torch
import torch.nn as nn
import torch.nn.functional as F


class WeightedFocalLoss(nn.Module):
    """Multi-class focal loss: alpha[y] * (1 - p_y)^gamma * (-log p_y), averaged over the batch.

    alpha holds one weight per class (background, organ, tumour by default),
    p_y is the softmax probability of the true class.
    """

    def __init__(self, alpha=(1.0, 2.0, 4.0), gamma=2.0):
        super().__init__()
        self.gamma = gamma
        self.register_buffer("alpha", torch.tensor(alpha, dtype=torch.float32))

    def forward(self, inputs, targets):
        # inputs: (N, 3) logits, targets: (N,) class indices
        ce_loss = F.cross_entropy(inputs, targets, weight=self.alpha.to(inputs.dtype), reduction="none")
        pt = torch.exp(-ce_loss)
        focal = (1 - pt) ** self.gamma * ce_loss
        return focal.mean()
