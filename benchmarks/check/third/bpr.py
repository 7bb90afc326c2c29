import torch
import torch.nn.functional as F


def bpr_loss(users, pos_items, neg_items, *ego_embeddings, decay=1e-4):
    """BPR with L2 on the layer-0 embeddings of the batch (LightGCN).

    users, pos_items, neg_items: (B, D) final embeddings
    ego_embeddings: any number of (B, D) tensors to regularise; the final ones if none are given
    """
    pos_scores = (users * pos_items).sum(dim=1)
    neg_scores = (users * neg_items).sum(dim=1)
    mf_loss = F.softplus(neg_scores - pos_scores).mean()

    if not ego_embeddings:
        ego_embeddings = (users, pos_items, neg_items)
    reg = sum(e.pow(2).sum() for e in ego_embeddings) / 2
    emb_loss = decay * reg / users.shape[0]
    return mf_loss, emb_loss
