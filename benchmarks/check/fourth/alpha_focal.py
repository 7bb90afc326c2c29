import torch
import torch.nn as nn
import torch.nn.functional as F


class FocalLoss(nn.Module):
    def __init__(self, alpha, gamma=2.0):
        """alpha: list with one weight per class."""
        super(FocalLoss, self).__init__()
        self.alpha = torch.tensor(alpha, dtype=torch.float32)
        self.gamma = gamma

    def forward(self, preds, labels):
        """preds: [B, C] logits, labels: [B]"""
        self.alpha = self.alpha.to(device=preds.device, dtype=preds.dtype)
        logp = F.log_softmax(preds, dim=1)
        logpt = logp.gather(1, labels.view(-1, 1)).squeeze(1)
        pt = logpt.exp()
        self.alpha = self.alpha.gather(0, labels.view(-1))
        loss = -((1 - pt) ** self.gamma) * logpt
        loss = self.alpha * loss
        return loss.mean()
