import torch
import torch.nn as nn
import torch.nn.functional as F


class LabelSmoothedCE(nn.Module):
    """Token level cross entropy with label smoothing for translation.

    logits (B, T, V), target (B, T); padding tokens do not count and the loss
    is the mean over the other tokens. smoothing is spread over all V entries.
    """

    def __init__(self, pad_idx=1, smoothing=0.1):
        super().__init__()
        self.pad_idx = pad_idx
        self.smoothing = smoothing

    def forward(self, logits, target):
        lprobs = F.log_softmax(logits, dim=-1)
        nll = -lprobs.gather(dim=-1, index=target.unsqueeze(-1)).squeeze(-1)
        uniform = -lprobs.mean(dim=-1)
        loss = (1.0 - self.smoothing) * nll + self.smoothing * uniform

        pad = target.eq(self.pad_idx)
        loss = loss.masked_fill(pad, 0.0)
        return loss.sum() / (~pad).sum().clamp(min=1)
