import torch
import torch.nn as nn
import torch.nn.functional as F


def lovasz_grad(gt_sorted):
    """Gradient of the Lovasz extension of the Jaccard loss w.r.t. sorted errors."""
    gts = gt_sorted.sum()
    intersection = gts - gt_sorted.cumsum(0)
    union = gts + (1 - gt_sorted).cumsum(0)
    jaccard = 1.0 - intersection / union
    return torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])


class LovaszHingeLoss(nn.Module):
    """Binary Lovasz hinge loss (Berman et al., 2018).

    logits (B, H, W), labels (B, H, W) with 0, 1 and ``ignore`` for void.
    """

    def __init__(self, per_image=True, ignore=255):
        super().__init__()
        self.per_image = per_image
        self.ignore = ignore

    def flat_loss(self, logits, labels):
        valid = labels != self.ignore
        logits, labels = logits[valid], labels[valid].to(logits.dtype)
        if labels.numel() == 0:
            return logits.sum() * 0.0
        errors = 1.0 - logits * (2.0 * labels - 1.0)
        errors, perm = torch.sort(errors, descending=True)
        return torch.dot(F.relu(errors), lovasz_grad(labels[perm]))

    def forward(self, logits, labels):
        if self.per_image:
            return torch.stack([self.flat_loss(x, y) for x, y in zip(logits, labels)]).mean()
        return self.flat_loss(logits.reshape(-1), labels.reshape(-1))
