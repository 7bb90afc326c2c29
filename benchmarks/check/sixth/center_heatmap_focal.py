import torch
import torch.nn as nn
import torch.nn.functional as F


class HeatmapFocalLoss(nn.Module):
    '''Penalty-reduced focal loss for gaussian center heatmaps (CornerNet / CenterNet), on logits.

      out    (batch x c x h x w) raw output, no sigmoid
      target (batch x c x h x w) gaussian bumps, exactly 1 at the object centers
      ignore (batch x 1 x h x w) optional, 1 inside crowd regions
    '''

    def __init__(self, alpha=2, beta=4):
        super(HeatmapFocalLoss, self).__init__()
        self.alpha = alpha
        self.beta = beta

    def forward(self, out, target, ignore=None):
        out = out.float()
        pos_inds = target.eq(1).float()
        neg_inds = target.lt(1).float()
        if ignore is not None:
            keep = 1.0 - ignore.float()
            neg_inds = neg_inds * keep

        pred = torch.sigmoid(out)
        neg_weights = torch.pow(1 - target, self.beta)

        pos_loss = F.logsigmoid(out) * torch.pow(1 - pred, self.alpha) * pos_inds
        neg_loss = F.logsigmoid(-out) * torch.pow(pred, self.alpha) * neg_weights * neg_inds

        num_pos = pos_inds.sum()
        # images without objects still push the background down
        return -(pos_loss.sum() + neg_loss.sum()) / num_pos.clamp(min=1)
