import torch
import torch.nn as nn


class ChamferL1(nn.Module):
    """CD-L1 as reported for completion networks: mean nearest neighbour distance, both ways, / 2.

    preds: (B, N, 3), gts: (B, M, 3)
    """

    def forward(self, preds, gts):
        P = self.batch_pairwise_dist(gts, preds)
        mins, _ = torch.min(P, 1)
        loss_1 = torch.mean(mins)
        mins, _ = torch.min(P, 2)
        loss_2 = torch.mean(mins)
        return (loss_1 + loss_2) / 2

    def batch_pairwise_dist(self, x, y):
        xx = x.pow(2).sum(dim=-1)
        yy = y.pow(2).sum(dim=-1)
        zz = torch.bmm(x, y.transpose(2, 1))
        P = xx.unsqueeze(2) + yy.unsqueeze(1) - 2 * zz
        return torch.sqrt(P)
