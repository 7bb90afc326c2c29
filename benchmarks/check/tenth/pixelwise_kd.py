import torch
import torch.nn as nn
import torch.nn.functional as F


class CriterionPixelWise(nn.Module):
    """Cross entropy between teacher and student class distributions at every pixel.

    preds_S, preds_T: logits (N, C, H, W)
    """

    def __init__(self):
        super(CriterionPixelWise, self).__init__()

    def forward(self, preds_S, preds_T):
        assert preds_S.shape == preds_T.shape
        preds_T = preds_T.detach()
        N, C, H, W = preds_S.shape
        softmax_pred_T = F.softmax(preds_T.contiguous().view(-1, C), dim=1)
        log_softmax_S = F.log_softmax(preds_S.contiguous().view(-1, C), dim=1)
        loss = torch.sum(-softmax_pred_T * log_softmax_S) / (N * H * W)
        return loss
