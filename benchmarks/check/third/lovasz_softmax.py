import torch
import torch.nn as nn
import torch.nn.functional as F


def _grad_of_jaccard(gt_sorted):
    n = gt_sorted.numel()
    total = gt_sorted.sum()
    inter = total - gt_sorted.cumsum(0)
    union = total + (1.0 - gt_sorted).cumsum(0)
    jac = 1.0 - inter / union
    if n > 1:
        jac = torch.cat([jac[:1], jac[1:] - jac[:-1]])
    return jac


class LovaszSoftmax(nn.Module):
    """multi-class Lovasz-Softmax. classes='present' averages over classes that occur in the labels."""

    def __init__(self, classes="present", per_image=False, ignore=None):
        super().__init__()
        self.classes, self.per_image, self.ignore = classes, per_image, ignore

    def _flat(self, probas, labels):
        C = probas.shape[1]
        probas = probas.movedim(1, -1).reshape(-1, C)
        labels = labels.reshape(-1)
        if self.ignore is not None:
            valid = labels != self.ignore
            probas, labels = probas[valid], labels[valid]
        if labels.numel() == 0:
            return probas.sum() * 0.0
        losses = []
        for c in range(C):
            fg = (labels == c).to(probas.dtype)
            if self.classes == "present" and fg.sum() == 0:
                continue
            errors = (fg - probas[:, c]).abs()
            errors_sorted, perm = torch.sort(errors, 0, descending=True)
            losses.append(torch.dot(errors_sorted, _grad_of_jaccard(fg[perm])))
        return torch.stack(losses).mean()

    def forward(self, logits, labels):
        probas = F.softmax(logits, dim=1)
        if self.per_image:
            return torch.stack([self._flat(p[None], l[None]) for p, l in zip(probas, labels)]).mean()
        return self._flat(probas, labels)
