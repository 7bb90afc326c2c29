import torch
import torch.nn.functional as F


def lovasz_grad(gt_sorted):
    """Gradient of the Lovasz extension of the Jaccard loss w.r.t. the sorted errors."""
    gts = gt_sorted.sum()
    intersection = gts - gt_sorted.cumsum(0)
    union = gts + (1 - gt_sorted).cumsum(0)
    jaccard = 1.0 - intersection / union
    if len(gt_sorted) > 1:
        jaccard = torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
    return jaccard


def lovasz_hinge(logits, labels):
    """Binary Lovasz hinge loss, mean over the images. logits, labels: (B, H, W), labels 0/1."""
    losses = []
    for logit, label in zip(logits, labels):
        logit = logit.reshape(-1)
        label = label.reshape(-1).to(logit.dtype)
        signs = 2.0 * label - 1.0
        errors = 1.0 - logit * signs
        errors_sorted, perm = torch.sort(errors, dim=0, descending=True)
        grad = lovasz_grad(label[perm])
        losses.append(torch.dot(F.relu(errors_sorted), grad))
    return torch.stack(losses).mean()
