import torch
from torch import nn
import torch.nn.functional as F


class SoftDice(nn.Module):
    def __init__(self, batch_dice=True, do_bg=False, smooth=1e-5):
        super().__init__()
        self.batch_dice = batch_dice
        self.do_bg = do_bg
        self.smooth = smooth

    def forward(self, x, y, loss_mask=None):
        """x: softmax (b, c, *spatial), y: labels (b, 1, *spatial), loss_mask: (b, 1, *spatial)"""
        axes = list(range(2, x.ndim))
        if self.batch_dice:
            axes = [0] + axes
        with torch.no_grad():
            y_onehot = torch.zeros(x.shape, device=x.device, dtype=x.dtype)
            y_onehot.scatter_(1, y.long(), 1)
        if not self.do_bg:
            x, y_onehot = x[:, 1:], y_onehot[:, 1:]
        m = 1.0 if loss_mask is None else loss_mask.to(x.dtype)
        intersect = (x * y_onehot * m).sum(axes)
        sum_pred = (x * m).sum(axes)
        sum_gt = (y_onehot * m).sum(axes)
        dc = (2 * intersect + self.smooth) / (sum_pred + sum_gt + self.smooth).clamp(min=1e-8)
        return -dc.mean()


class DC_and_CE_loss(nn.Module):
    """weight_ce * CE + weight_dice * (- soft dice), so the optimum is -weight_dice, not 0."""

    def __init__(self, weight_ce=1, weight_dice=1, ignore_label=None, batch_dice=True):
        super().__init__()
        self.weight_ce = weight_ce
        self.weight_dice = weight_dice
        self.ignore_label = ignore_label
        self.dc = SoftDice(batch_dice=batch_dice)

    def forward(self, net_output, target):
        """net_output: (b, c, x, y, z), target: (b, 1, x, y, z)"""
        target = target.long()
        if self.ignore_label is None:
            mask, target_dice = None, target
            n_voxels = target.numel()
        else:
            mask = target != self.ignore_label
            # 0 is as good as any other label here, it is masked
            target_dice = torch.where(mask, target, torch.zeros_like(target))
            n_voxels = mask.sum()

        loss = net_output.sum() * 0.0
        if self.weight_dice != 0:
            loss = loss + self.weight_dice * self.dc(torch.softmax(net_output, 1), target_dice, mask)
        if self.weight_ce != 0 and n_voxels > 0:
            ignore = -100 if self.ignore_label is None else self.ignore_label
            loss = loss + self.weight_ce * F.cross_entropy(net_output, target[:, 0], ignore_index=ignore)
        return loss
