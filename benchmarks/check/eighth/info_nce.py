import torch
import torch.nn.functional as F


def info_nce(query: torch.Tensor, key: torch.Tensor, temperature: float = 0.1) -> torch.Tensor:
    """InfoNCE with in-batch negatives.

    The key of row i is the positive of query i, all other keys of the batch
    are its negatives:
    ``mean_i [ log sum_j exp(s_ij / t) - s_ii / t ]`` with cosine similarities
    ``s_ij`` between query i and key j.

    Args:
        query: (N, D) embeddings.
        key: (N, D) embeddings.
        temperature: softmax temperature.
    """
    q = F.normalize(query, dim=1)
    k = F.normalize(key, dim=1)
    sim = q @ k.T / temperature
    pos = sim.diagonal()

    # subtract the row maximum before exponentiating
    c = sim.max(dim=1).values.detach()
    log_sum = torch.log(torch.exp(sim - c).sum(dim=1))
    loss = log_sum - (pos - c)
    return loss.mean()
