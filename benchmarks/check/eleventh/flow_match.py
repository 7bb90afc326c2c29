import torch.nn.functional as F


def flow_matching_loss(pred, target, padding_mask):
    """Flow-matching regression loss for speech.

    pred, target: (batch, frames, dim)
    padding_mask: (batch, frames) bool, True at padded frames, which carry no loss
    Squared error averaged over the real frames of each utterance, then over the batch.
    """
    loss = F.mse_loss(pred, target, reduction="none").mean(dim=-1)
    loss = loss.masked_fill(padding_mask, 0.0)
    num = loss.sum(dim=-1)
    den = padding_mask.sum(dim=-1).clamp(min=1)
    return (num / den).mean()
