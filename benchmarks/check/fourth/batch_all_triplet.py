import torch
import torch.nn.functional as F


def batch_all_triplet_loss(emb, labels, margin=0.2):
    """All valid triplets of the batch on squared distances; the average is
    taken over the triplets with a positive loss."""
    emb = F.normalize(emb, dim=1)
    d = (2.0 - 2.0 * emb @ emb.t()).clamp(min=0)

    same = labels[:, None] == labels[None, :]
    eye = torch.eye(labels.numel(), dtype=torch.bool, device=labels.device)
    valid = (same & ~eye)[:, :, None] & (~same)[:, None, :]      # [a, p, n]

    loss = F.relu(d[:, :, None] - d[:, None, :] + margin) * valid
    active = (loss > 0).sum()
    return loss.sum() / active.clamp(min=1)
