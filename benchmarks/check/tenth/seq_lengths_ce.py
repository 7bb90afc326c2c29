import torch
import torch.nn.functional as F


def sequence_loss(outputs, targets, lengths):
    """Cross entropy of padded sequences, every sequence is averaged over its own length first.

    outputs: (B, T, V) logits, targets: (B, T), lengths: (B,) number of real tokens (>= 1)
    """
    B, T, V = outputs.shape
    ce = F.cross_entropy(outputs.transpose(1, 2), targets, reduction='none')  # (B, T)
    mask = torch.arange(T, device=outputs.device)[None, :] < lengths[:, None]
    ce = (ce * mask).sum(dim=1) / lengths.to(ce.dtype)
    return ce.mean()
