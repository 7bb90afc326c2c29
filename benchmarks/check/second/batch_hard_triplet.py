import torch
import torch.nn as nn


class BatchHardTripletLoss(nn.Module):
    def __init__(self, margin=0.3):
        super().__init__()
        self.margin = margin

    def forward(self, embeddings, labels):
        if embeddings.dtype in (torch.float16, torch.bfloat16):
            embeddings = embeddings.float()
        diff = embeddings.unsqueeze(1) - embeddings.unsqueeze(0)
        dist = torch.sqrt(diff.pow(2).sum(-1) + 1e-12)

        same = labels.unsqueeze(0) == labels.unsqueeze(1)
        eye = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        pos, neg = same & ~eye, ~same
        ok = pos.any(1) & neg.any(1)
        if not ok.any():
            return embeddings.sum() * 0.0

        hardest_pos = dist.masked_fill(~pos, float("-inf")).amax(1)[ok]
        hardest_neg = dist.masked_fill(~neg, float("inf")).amin(1)[ok]
        return torch.relu(hardest_pos - hardest_neg + self.margin).mean()
