import torch
import torch.nn as nn
import torch.nn.functional as F


class GeneralizedDiceLoss3D(nn.Module):
    """
    Generalised Dice overlap of Sudre et al. for volumes. The contribution of each
    label is corrected by the inverse of its volume, so that small structures are
    not dominated by the background:

        GDL = 1 - 2 * sum_c w_c |P_c G_c| / sum_c w_c (|P_c| + |G_c|)

    net_output: (B, C, D, H, W) raw logits
    gt:         (B, D, H, W) or (B, 1, D, H, W) integer labels
    """

    def __init__(self, weight_type='square', eps=1e-8):
        super().__init__()
        assert weight_type in ('square', 'simple', 'uniform')
        self.weight_type = weight_type
        self.eps = eps

    def _weights(self, gt_volume):
        if self.weight_type == 'uniform':
            return torch.ones_like(gt_volume)
        volume = gt_volume.clamp(min=1.0)
        w = 1.0 / volume if self.weight_type == 'simple' else 1.0 / volume ** 2
        # labels that do not occur get the largest weight among those that do
        present = gt_volume > 0
        w_max = torch.where(present, w, torch.zeros_like(w)).max(dim=1, keepdim=True)[0]
        return torch.where(present, w, w_max)

    def forward(self, net_output, gt):
        if gt.dim() == net_output.dim():
            gt = gt[:, 0]
        n_cls = net_output.shape[1]
        prob = torch.softmax(net_output, dim=1)
        onehot = F.one_hot(gt.long(), n_cls).permute(0, 4, 1, 2, 3).to(prob.dtype)

        axes = (2, 3, 4)
        intersect = (prob * onehot).sum(axes)
        pred_volume = prob.sum(axes)
        gt_volume = onehot.sum(axes)

        w = self._weights(gt_volume)
        numer = 2.0 * intersect * w
        denom = (pred_volume + gt_volume) * w
        score = numer / denom.clamp(min=self.eps * self.eps)
        return 1.0 - score.mean()
