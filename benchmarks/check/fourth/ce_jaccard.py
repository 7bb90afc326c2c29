import torch
import torch.nn as nn
import torch.nn.functional as F


class CEJaccardLoss(nn.Module):
    """Cross entropy + soft Jaccard, void pixels (ignore_index) are skipped.

    The Jaccard part averages over the classes that occur in the batch.
    """

    def __init__(self, num_classes, ignore_index=255, jaccard_weight=1.0):
        super().__init__()
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.jaccard_weight = jaccard_weight

    def forward(self, logits, target):
        keep = target != self.ignore_index
        # (N, C, H, W) -> (valid pixels, C)
        flat = logits.permute(0, 2, 3, 1)[keep]
        labels = target[keep]
        if labels.numel() == 0:
            return logits.sum() * 0.0

        ce = F.cross_entropy(flat, labels)

        prob = flat.softmax(dim=1)
        onehot = F.one_hot(labels, self.num_classes).to(prob.dtype)
        inter = (prob * onehot).sum(0)
        union = prob.sum(0) + onehot.sum(0) - inter
        present = onehot.sum(0) > 0
        iou = inter[present] / union[present]
        return ce + self.jaccard_weight * (1 - iou.mean())
