import torch
import torch.nn as nn
import torch.nn.functional as F


class AttentionTransfer(nn.Module):
    """Activation based attention transfer (Zagoruyko & Komodakis).

    forward takes two lists with the feature maps (N, C, H, W) of some layers.
    Channels may differ; a larger map is pooled to the size of the smaller one.
    """

    @staticmethod
    def attention(f):
        return F.normalize(f.pow(2).mean(dim=1).flatten(1), dim=1)

    def pair(self, fs, ft):
        h = min(fs.shape[2], ft.shape[2])
        w = min(fs.shape[3], ft.shape[3])
        fs = F.adaptive_avg_pool2d(fs, (h, w))
        ft = F.adaptive_avg_pool2d(ft, (h, w))
        return (self.attention(fs) - self.attention(ft)).pow(2).mean()

    def forward(self, student_feats, teacher_feats):
        loss = 0.0
        for fs, ft in zip(student_feats, teacher_feats):
            loss = loss + self.pair(fs, ft.detach())
        return loss / len(student_feats)
