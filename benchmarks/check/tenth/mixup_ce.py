import torch
import torch.nn.functional as F


def soft_cross_entropy(pred, soft_targets):
    """Cross entropy with soft labels (e.g. from mixup / cutmix).

    pred: logits (N, C); soft_targets: rows sum to one (N, C)
    """
    logp = F.log_softmax(pred, 0)
    return -(soft_targets * logp).sum(dim=1).mean()
