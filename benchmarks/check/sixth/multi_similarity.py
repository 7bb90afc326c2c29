import torch
from torch import nn
import torch.nn.functional as F


class MultiSimilarityLoss(nn.Module):
    """Multi-similarity loss with pair mining (Wang et al., CVPR 2019)."""

    def __init__(self, thresh=0.5, margin=0.1, scale_pos=2.0, scale_neg=40.0):
        super(MultiSimilarityLoss, self).__init__()
        self.thresh = thresh
        self.margin = margin
        self.scale_pos = scale_pos
        self.scale_neg = scale_neg

    def forward(self, feats, labels):
        assert feats.size(0) == labels.size(0), \
            f"feats.size(0): {feats.size(0)} is not equal to labels.size(0): {labels.size(0)}"
        batch_size = feats.size(0)
        feats = F.normalize(feats, dim=1)
        sim_mat = torch.matmul(feats, torch.t(feats))

        loss = list()
        for i in range(batch_size):
            same = labels == labels[i]
            pos_mask = same.clone()
            pos_mask[i] = False
            pos_pair_ = sim_mat[i][pos_mask]
            neg_pair_ = sim_mat[i][~same]
            if len(pos_pair_) < 1 or len(neg_pair_) < 1:
                continue

            neg_pair = neg_pair_[neg_pair_ + self.margin > pos_pair_.min()]
            pos_pair = pos_pair_[pos_pair_ - self.margin < neg_pair_.max()]
            if len(neg_pair) < 1 or len(pos_pair) < 1:
                continue

            # weighting step
            pos_loss = 1.0 / self.scale_pos * torch.log(
                1 + torch.sum(torch.exp(-self.scale_pos * (pos_pair - self.thresh))))
            neg_loss = 1.0 / self.scale_neg * torch.log(
                1 + torch.sum(torch.exp(self.scale_neg * (neg_pair - self.thresh))))
            loss.append(pos_loss + neg_loss)

        if len(loss) == 0:
            return feats.sum() * 0.0
        return sum(loss) / batch_size
