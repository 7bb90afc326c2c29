import torch
import torch.nn as nn
import torch.nn.functional as F


class SoftmaxFocalLoss(nn.Module):
    """Multi-class focal loss on logits.

    Args:
        gamma: focusing parameter, 0 or >= 1.
        alpha: optional list of C class weights. As usual for the focal loss
            they scale the terms only; the mean runs over the samples.
        ignore_index: target that is left out.
    """

    def __init__(self, gamma=2.0, alpha=None, ignore_index=-100):
        super().__init__()
        if gamma != 0 and gamma < 1:
            raise ValueError("gamma must be 0 or at least 1")
        self.gamma = gamma
        self.ignore_index = ignore_index
        self.register_buffer("alpha", None if alpha is None else torch.as_tensor(alpha, dtype=torch.float32))

    def forward(self, logits, target):
        keep = target != self.ignore_index
        if not keep.any():
            return logits.sum() * 0.0
        logits, target = logits[keep], target[keep]
        log_pt = F.log_softmax(logits, dim=-1).gather(1, target.unsqueeze(1)).squeeze(1)
        loss = -log_pt
        if self.gamma:
            loss = loss * (-torch.expm1(log_pt)) ** self.gamma
        if self.alpha is not None:
            loss = loss * self.alpha.to(loss.dtype)[target]
        return loss.mean()
