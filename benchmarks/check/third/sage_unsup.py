import torch
import torch.nn.functional as F


def unsup_sage_loss(emb_src, emb_dst, emb_neg, params=(), weight_decay=5e-4, neg_sample_weight=1.0):
    """
    GraphSAGE unsupervised objective.

    emb_src, emb_dst: (E, D) embeddings of co-occurring nodes
    emb_neg: (K, D) embeddings of nodes drawn from the noise distribution, shared by all edges
    params: aggregator weights that get an L2 penalty of weight_decay * sum(w ** 2) / 2
    """
    loss = emb_src.new_zeros(())
    for var in params:
        loss = loss + weight_decay * var.pow(2).sum() / 2

    aff = (emb_src * emb_dst).sum(dim=1)
    neg_aff = emb_src @ emb_neg.t()
    true_xent = F.binary_cross_entropy_with_logits(aff, torch.ones_like(aff), reduction="sum")
    negative_xent = F.binary_cross_entropy_with_logits(neg_aff, torch.zeros_like(neg_aff), reduction="sum")
    loss = true_xent + neg_sample_weight * negative_xent

    return loss / emb_src.shape[0]
