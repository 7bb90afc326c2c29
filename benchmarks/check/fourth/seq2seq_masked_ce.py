import torch
import torch.nn as nn
import torch.nn.functional as F


class MaskedSoftmaxCELoss(nn.Module):
    """Cross entropy for padded sequences.

    pred (B, T, V), label (B, T), valid_len (B,). The loss of a sequence is the
    average over its valid tokens; the result is the average over the batch.
    """

    def forward(self, pred, label, valid_len):
        steps = torch.arange(pred.size(1), device=pred.device)
        mask = (steps[None, :] < valid_len[:, None]).to(pred.dtype)
        ce = F.cross_entropy(pred.transpose(1, 2), label, reduction="none")
        per_seq = (ce * mask).mean(dim=1)
        return per_seq.mean()
