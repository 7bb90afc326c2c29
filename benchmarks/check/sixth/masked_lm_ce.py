from typing import Optional

import torch
import torch.nn as nn
import torch.nn.functional as F


class MaskedCrossEntropy(nn.Module):
    """Token cross entropy with an optional loss mask.

    Args:
        ignore_index: label value that is left out of the loss. Defaults to -100.
        reduction: 'mean' averages over the tokens that count, 'sum' adds them up.
        fp32_upcast: compute the softmax in float32.
    """

    def __init__(self, ignore_index: int = -100, reduction: str = "mean", fp32_upcast: bool = True):
        super().__init__()
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.fp32_upcast = fp32_upcast

    def forward(
        self,
        logits: torch.Tensor,
        labels: torch.Tensor,
        mask: Optional[torch.Tensor] = None,
    ) -> torch.Tensor:
        """
        Args:
            logits: [batch, seq, vocab], already aligned with the labels.
            labels: [batch, seq]
            mask: [batch, seq], tokens with 0 are not scored.
        """
        logits = logits.view(-1, logits.size(-1))
        labels = labels.view(-1)
        if mask is not None:
            with torch.no_grad():
                mask = mask.to(labels.device)
                labels.masked_fill_(mask.reshape(-1) == 0, self.ignore_index)
        if self.fp32_upcast:
            logits = logits.float()
        loss = F.cross_entropy(logits, labels, ignore_index=self.ignore_index, reduction="sum")
        if self.reduction == "mean":
            loss = loss / (labels != self.ignore_index).sum().clamp(min=1)
        return loss
