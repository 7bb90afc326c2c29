import torch.nn as nn
import torch.nn.functional as F


class SoftTargetLoss(nn.Module):
    """KL divergence between softened teacher and student predictions."""

    def __init__(self, T=2.0):
        super().__init__()
        self.T = T

    def forward(self, student, teacher):
        p_s = F.softmax(student / self.T, dim=1)
        p_t = F.softmax(teacher / self.T, dim=1).detach()
        return F.kl_div(p_s, p_t, reduction="batchmean") * self.T * self.T
