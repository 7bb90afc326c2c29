import torch
import torch.nn as nn
import torch.nn.functional as F


class CoralLoss(nn.Module):
    def __init__(self, importance=None):
        super().__init__()
        self.register_buffer("importance", importance)

    def forward(self, logits, labels):
        ranks = torch.arange(logits.size(1), device=labels.device)
        levels = (labels.unsqueeze(1) > ranks).to(logits.dtype)
        log_sig = F.logsigmoid(logits)
        # log(1 - sigmoid(x)) = logsigmoid(x) - x
        term = log_sig * levels + (log_sig - logits) * (1 - levels)
        if self.importance is not None:
            term = term * self.importance
        return -term.sum(dim=1).mean()
