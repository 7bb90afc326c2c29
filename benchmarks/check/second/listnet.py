import torch


def listnet_loss(scores, relevance, mask=None):
    """ListNet top-one cross entropy.

    scores, relevance: (B, L). mask: bool (B, L), True for real documents.
    Queries without documents count 0; mean over the queries that have some.
    """
    if mask is None:
        mask = torch.ones_like(scores, dtype=torch.bool)
    low = torch.finfo(scores.dtype).min / 2
    s = scores.masked_fill(~mask, low)
    r = relevance.to(scores.dtype).masked_fill(~mask, low)
    log_q = s - torch.logsumexp(s, dim=1, keepdim=True)
    p = torch.softmax(r, dim=1)
    per_doc = torch.where(mask, p * log_q, torch.zeros_like(log_q))
    filled = mask.any(dim=1)
    return -per_doc.sum() / filled.sum().clamp(min=1)
