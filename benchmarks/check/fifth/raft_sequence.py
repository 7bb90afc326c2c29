import torch
import torch.nn as nn


class SequenceLoss(nn.Module):
    """L1 loss over the iterative flow estimates of RAFT.

    Args:
        gamma: weight decay towards the early iterations.
        max_flow: larger ground truth is treated as invalid.
    flow_preds: list of (B, 2, H, W); flow_gt (B, 2, H, W); valid (B, H, W).
    The mean of each iteration runs over the valid pixels.
    """

    def __init__(self, gamma=0.8, max_flow=400.0):
        super().__init__()
        self.gamma = gamma
        self.max_flow = max_flow

    def forward(self, flow_preds, flow_gt, valid):
        mag = flow_gt.square().sum(dim=1).sqrt()
        valid = (valid >= 0.5) & (mag < self.max_flow)
        mask = valid.unsqueeze(1)
        flow_gt = torch.where(mask, flow_gt, torch.zeros_like(flow_gt))
        n = 2 * valid.sum().clamp(min=1)

        loss = 0.0
        for i, flow in enumerate(flow_preds):
            weight = self.gamma ** (len(flow_preds) - i - 1)
            loss = loss + weight * ((flow - flow_gt).abs() * mask).sum() / n
        return loss
