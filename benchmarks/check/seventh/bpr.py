import torch.nn.functional as F


def bpr_loss(user_emb, pos_emb, neg_emb, reg=1e-4):
    """Bayesian personalised ranking for matrix factorisation / LightGCN.

    user_emb, pos_emb, neg_emb: (B, d) embeddings of the sampled triples.
    reg: L2 weight on the embeddings of the batch.
    """
    pos_scores = (user_emb * pos_emb).sum(dim=1)
    neg_scores = (user_emb * neg_emb).sum(dim=1)
    loss = -F.logsigmoid(pos_scores - neg_scores).mean()
    reg_loss = 0.5 * (
        user_emb.pow(2).sum() + pos_emb.pow(2).sum() + neg_emb.pow(2).sum()
    ) / user_emb.shape[0]
    return loss + reg * reg_loss
