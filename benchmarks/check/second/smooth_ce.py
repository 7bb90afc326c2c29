import torch
import torch.nn as nn


class LabelSmoothingCrossEntropy(nn.Module):
    def __init__(self, smoothing=0.1, ignore_index=-100, reduction="mean"):
        super().__init__()
        assert 0.0 <= smoothing < 1.0
        assert reduction in ("none", "mean", "sum")
        self.smoothing = smoothing
        self.ignore_index = ignore_index
        self.reduction = reduction

    def forward(self, x, target):
        keep = target != self.ignore_index
        logprobs = torch.log_softmax(x, dim=-1)
        index = target.masked_fill(~keep, 0).unsqueeze(-1)
        nll = -logprobs.gather(-1, index).squeeze(-1)
        # cross entropy with the uniform distribution is just the mean
        uniform = -logprobs.mean(dim=-1)
        loss = (1.0 - self.smoothing) * nll + self.smoothing * uniform
        loss = loss.masked_fill(~keep, 0.0)
        if self.reduction == "mean":
            return loss.sum() / keep.sum().clamp(min=1)
        return loss.sum() if self.reduction == "sum" else loss
