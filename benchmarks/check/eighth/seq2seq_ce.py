import torch
import torch.nn as nn
import torch.nn.functional as F


class Seq2SeqCELoss(nn.Module):
    """Softmax cross entropy for padded sequences.

    The loss of a sequence is the average over its valid time steps, the
    result is the average over the batch. Steps at or after ``valid_len`` are
    padding.

    Shape:
        - pred: (batch, steps, vocab) scores
        - label: (batch, steps) token ids
        - valid_len: (batch,) number of real tokens, at least 1
    """

    def sequence_mask(self, label, valid_len):
        steps = torch.arange(label.size(1), device=label.device)
        return (steps[None, :] < valid_len[:, None])

    def forward(self, pred: torch.Tensor, label: torch.Tensor, valid_len: torch.Tensor) -> torch.Tensor:
        weights = self.sequence_mask(label, valid_len).to(pred.dtype)
        unweighted = F.cross_entropy(pred.permute(0, 2, 1), label, reduction="none")
        weighted = (unweighted * weights).mean(dim=1)
        return weighted.mean()
