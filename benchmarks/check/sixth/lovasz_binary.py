import torch
import torch.nn.functional as F


def lovasz_grad(gt_sorted):
    """Gradient of the Lovasz extension of the Jaccard loss w.r.t. sorted errors."""
    p = len(gt_sorted)
    gts = gt_sorted.sum()
    intersection = gts - gt_sorted.cumsum(0)
    union = gts + (1 - gt_sorted).cumsum(0)
    jaccard = 1. - intersection / union
    if p > 1:
        jaccard = torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
    return jaccard


def lovasz_hinge_flat(logits, labels):
    if len(labels) == 0:
        # only void pixels, the gradients should be 0
        return logits.sum() * 0.
    labels = labels.float()
    signs = 2. * labels - 1.
    errors = 1. - logits * signs
    errors_sorted, perm = torch.sort(errors, dim=0, descending=True)
    grad = lovasz_grad(labels[perm.detach()])
    return torch.dot(F.relu(errors_sorted), grad)


def lovasz_hinge(logits, labels, per_image=True, ignore=None):
    """Binary Lovasz hinge loss

      logits: [B, H, W] real valued
      labels: [B, H, W] binary ground truth masks (0 or 1)
      per_image: compute the loss per image instead of per batch
      ignore: void class id
    """
    def flatten(lo, la):
        lo, la = lo.reshape(-1), la.reshape(-1)
        if ignore is None:
            return lo, la
        valid = la != ignore
        return lo[valid], la[valid]

    if per_image:
        losses = [lovasz_hinge_flat(*flatten(lo, la)) for lo, la in zip(logits, labels)]
        return torch.stack(losses).mean()
    return lovasz_hinge_flat(*flatten(logits, labels))
