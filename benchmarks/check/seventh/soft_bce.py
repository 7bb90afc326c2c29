import torch
import torch.nn as nn
import torch.nn.functional as F


class SoftBCEWithLogitsLoss(nn.Module):
    """Drop-in replacement for ``nn.BCEWithLogitsLoss`` with label smoothing
    and an ``ignore_index``.

    Args:
        ignore_index: target value that is ignored and does not contribute
            to the loss (void pixels).
        reduction: 'mean', 'sum' or 'none'.
        smooth_factor: smoothing of the target (1 becomes 1 - smooth_factor).
    """

    def __init__(self, weight=None, ignore_index=-100, reduction="mean",
                 smooth_factor=None, pos_weight=None):
        super().__init__()
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.smooth_factor = smooth_factor
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, y_pred, y_true):
        if self.smooth_factor is not None:
            soft_targets = (1 - y_true) * self.smooth_factor + y_true * (1 - self.smooth_factor)
        else:
            soft_targets = y_true

        loss = F.binary_cross_entropy_with_logits(
            y_pred, soft_targets, self.weight,
            pos_weight=self.pos_weight, reduction="none",
        )

        if self.ignore_index is not None:
            not_ignored_mask = y_true != self.ignore_index
            loss = loss * not_ignored_mask.type_as(loss)

        if self.reduction == "mean":
            loss = loss.mean()
        if self.reduction == "sum":
            loss = loss.sum()
        return loss
