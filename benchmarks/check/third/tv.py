import torch
import torch.nn as nn


class TVLoss(nn.Module):
    """mean squared difference between neighbouring pixels, vertical plus horizontal"""

    def __init__(self, TVLoss_weight=1):
        super(TVLoss, self).__init__()
        self.TVLoss_weight = TVLoss_weight

    def forward(self, x):
        batch_size = x.size()[0]
        c = x.size()[1]
        h_x, w_x = x.size()[2], x.size()[2]
        count_h = c * (h_x - 1) * w_x
        count_w = c * h_x * (w_x - 1)
        h_tv = torch.pow(x[:, :, 1:, :] - x[:, :, :-1, :], 2).sum()
        w_tv = torch.pow(x[:, :, :, 1:] - x[:, :, :, :-1], 2).sum()
        return self.TVLoss_weight * (h_tv / count_h + w_tv / count_w) / batch_size
