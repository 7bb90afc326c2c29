import torch
import torch.nn as nn
import torch.nn.functional as F


class CornLoss(nn.Module):
    """Conditional ordinal regression (CORN).

    Task k is trained only on the examples with label > k - 1 (its conditional
    training set). The loss is the binary cross entropy averaged over all
    examples of all conditional training sets.

    Args:
        num_classes: number of ordered classes K; logits have K - 1 columns.
    """

    def __init__(self, num_classes):
        super().__init__()
        self.num_classes = num_classes

    def forward(self, logits, y_train):
        assert logits.shape[1] == self.num_classes - 1
        losses = logits.sum() * 0.0
        for k in range(self.num_classes - 1):
            label_mask = y_train > k - 1
            label = (y_train[label_mask] > k).to(logits.dtype)
            if label.numel() < 1:
                continue
            pred = logits[label_mask, k]
            log_prob = F.logsigmoid(pred)
            losses = losses - torch.sum(log_prob * label + (log_prob - pred) * (1 - label))

        return losses / self.num_classes
