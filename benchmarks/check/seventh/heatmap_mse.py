import torch
import torch.nn as nn
import torch.nn.functional as F


class KeypointMSELoss(nn.Module):
    """MSE loss for heatmaps.

    Args:
        use_target_weight (bool): use per joint weights. Default: False.
        skip_empty_channel (bool): if True, heatmap channels without any
            target (all zero, e.g. a joint that is not labelled) are
            excluded from the loss. Default: False.
        loss_weight (float): weight of the loss. Default: 1.0
    """

    def __init__(self, use_target_weight=False, skip_empty_channel=False, loss_weight=1.0):
        super().__init__()
        self.use_target_weight = use_target_weight
        self.skip_empty_channel = skip_empty_channel
        self.loss_weight = loss_weight

    def forward(self, output, target, target_weights=None, mask=None):
        """
        Note:
            B: batch size, K: number of keypoints, H, W: heatmap size

        output, target: (B, K, H, W); target_weights: (B, K); mask: (B, 1|K, H, W)
        """
        _mask = self._get_mask(target, target_weights, mask)
        _loss = F.mse_loss(output, target, reduction='none')
        if _mask is None:
            return _loss.mean() * self.loss_weight
        _mask = _mask.expand_as(_loss)
        loss = (_loss * _mask).sum() / _mask.sum().clamp(min=1.0)
        return loss * self.loss_weight

    def _get_mask(self, target, target_weights, mask):
        if mask is not None:
            mask = mask.to(target.dtype)

        if self.use_target_weight and target_weights is not None:
            ndim_pad = target.ndim - target_weights.ndim
            _mask = target_weights.view(target_weights.shape + (1,) * ndim_pad)
            mask = _mask if mask is None else mask * _mask

        # keep only the channels that have a target
        if self.skip_empty_channel:
            _mask = (target != 0).flatten(2).any()
            ndim_pad = target.ndim - _mask.ndim
            _mask = _mask.view(_mask.shape + (1,) * ndim_pad).to(target.dtype)
            mask = _mask if mask is None else mask * _mask
        return mask
