import torch
import torch.nn as nn
import torch.nn.functional as F


class JointHeatmapFocalLoss(nn.Module):
    """Gaussian focal loss on joint heat maps, computed from logits.

    Args:
        alpha, beta: exponents of the CornerNet focal loss.
    Inputs: logits and gt (B, J, H, W), gt is 1 at a joint and decays around
    it; joint_weight (B, J) is 0 for joints that are not annotated. Divided by
    the number of annotated joints.
    """

    def __init__(self, alpha=2, beta=4):
        super().__init__()
        self.alpha = alpha
        self.beta = beta

    def forward(self, logits, gt, joint_weight):
        p, q = torch.sigmoid(logits), torch.sigmoid(-logits)
        pos = (gt == 1).to(logits.dtype)
        pos_loss = -pos * q.pow(self.alpha) * F.logsigmoid(logits)
        neg_loss = -(1 - pos) * (1 - gt).pow(self.beta) * p.pow(self.alpha) * F.logsigmoid(-logits)

        w = joint_weight.to(logits.dtype)[:, :, None, None]
        num_pos = (pos * w).sum().clamp(min=1.0)
        return ((pos_loss + neg_loss) * w).sum() / num_pos
