import torch
import torch.nn as nn


class FlowSequenceLoss(nn.Module):
    """Loss over the sequence of refined flow predictions of a recurrent
    optical flow network.

    Args:
        gamma: decay, the last iteration has the weight 1.
        max_flow: pixels with a larger ground truth motion are excluded.
        robust: 'l1' or 'charbonnier'.
    """

    def __init__(self, gamma=0.8, max_flow=400.0, robust="l1"):
        super().__init__()
        self.gamma = gamma
        self.max_flow = max_flow
        if robust not in ("l1", "charbonnier"):
            raise ValueError(robust)
        self.robust = robust
        self.metrics = {}

    def _penalty(self, diff):
        if self.robust == "l1":
            return diff.abs()
        return torch.sqrt(diff.pow(2) + 1e-6)

    def forward(self, flow_preds, flow_gt, valid):
        """
        flow_preds: list of (B, 2, H, W), flow_gt: (B, 2, H, W)
        valid: (B, H, W); the ground truth of invalid pixels can be inf / nan
        """
        flow_gt = torch.where(valid.unsqueeze(1) >= 0.5, flow_gt, torch.zeros_like(flow_gt))
        mag = flow_gt.pow(2).sum(dim=1).sqrt()
        valid = ((valid >= 0.5) & (mag < self.max_flow)).to(flow_gt.dtype)
        weight = valid.unsqueeze(1)
        # two components per pixel
        count = (2 * valid.sum()).clamp(min=1.0)

        n = len(flow_preds)
        loss = 0.0
        for i, pred in enumerate(flow_preds):
            i_weight = self.gamma ** (n - i - 1)
            loss = loss + i_weight * (weight * self._penalty(pred - flow_gt)).sum() / count

        with torch.no_grad():
            epe = (flow_preds[-1] - flow_gt).pow(2).sum(dim=1).sqrt()
            den = valid.sum().clamp(min=1.0)
            self.metrics = {
                "epe": ((epe * valid).sum() / den).item(),
                "1px": (((epe < 1).to(valid) * valid).sum() / den).item(),
                "3px": (((epe < 3).to(valid) * valid).sum() / den).item(),
            }
        return loss
