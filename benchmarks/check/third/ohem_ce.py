import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class OhemCELoss(nn.Module):
    '''
    online hard example mining for semantic segmentation
    logits: (N, C, H, W), labels: (N, H, W) with lb_ignore on unlabelled pixels
    keeps the pixels with prob of the true class < thresh, at least 1/16 of the valid ones
    '''

    def __init__(self, thresh=0.7, lb_ignore=255):
        super(OhemCELoss, self).__init__()
        self.thresh = -math.log(thresh)
        self.lb_ignore = lb_ignore

    def forward(self, logits, labels):
        valid = labels != self.lb_ignore
        labels[~valid] = 0
        loss = F.cross_entropy(logits, labels, reduction='none')[valid]
        if loss.numel() == 0:
            return logits.sum() * 0.
        n_min = max(1, loss.numel() // 16)
        loss_hard = loss[loss > self.thresh]
        if loss_hard.numel() < n_min:
            loss_hard, _ = loss.topk(n_min)
        return torch.mean(loss_hard)
