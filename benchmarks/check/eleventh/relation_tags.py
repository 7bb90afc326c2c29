import torch
import torch.nn.functional as F


def relation_tag_loss(logits, gold, mask):
    """Binary cross entropy for relation tagging.

    logits, gold: (batch, length, num_relations); gold is 0/1
    mask: (batch, length), 1 for real tokens and 0 for padding
    Returns the mean over all (token, relation) cells of the real tokens.
    """
    loss = F.binary_cross_entropy_with_logits(logits, gold.to(logits.dtype), reduction="none")
    mask = mask.to(logits.dtype)
    if loss.shape != mask.shape:
        mask = mask.unsqueeze(-1)
    return torch.sum(loss * mask) / torch.sum(mask).clamp(min=1.0)
