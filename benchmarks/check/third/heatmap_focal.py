import torch
import torch.nn as nn


class HeatmapFocal(nn.Module):
    ''' Penalty-reduced pixelwise focal loss of CornerNet / CenterNet

    out: class heatmaps after sigmoid and clamp to [1e-4, 1 - 1e-4] (batch x c x h x w)
    gt:  gaussian splatted targets, exactly 1 at the object centres; images
         without any object have an all-zero target
    '''

    def __init__(self, alpha=2, beta=4):
        super(HeatmapFocal, self).__init__()
        self.alpha = alpha
        self.beta = beta

    def forward(self, out, gt):
        pos_inds = gt.eq(1).float()
        neg_inds = gt.lt(1).float()

        neg_weights = torch.pow(1 - gt, self.beta)

        pos_loss = torch.log(out) * torch.pow(1 - out, self.alpha) * pos_inds
        neg_loss = torch.log(1 - out) * torch.pow(out, self.alpha) * neg_weights * neg_inds

        num_pos = pos_inds.sum()
        pos_loss = pos_loss.sum()
        neg_loss = neg_loss.sum()

        return -(pos_loss + neg_loss) / num_pos
