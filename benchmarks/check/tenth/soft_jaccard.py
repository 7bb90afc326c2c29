import torch


def jaccard_loss(true, logits, eps=1e-7):
    """Soft jaccard (IoU) loss for binary masks.

    Note: we want to minimise, so 1 - IoU is returned.
    true:   [B, 1, H, W] in {0, 1}
    logits: [B, 1, H, W]
    """
    probas = torch.sigmoid(logits)
    true = true.type(logits.type())
    dims = (1, 2, 3)
    intersection = torch.sum(probas * true, dims)
    cardinality = torch.sum(probas + true, dims)
    union = cardinality - intersection
    return (1 - (intersection + eps) / (union + eps)).mean()
