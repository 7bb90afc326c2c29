import torch
import torch.nn as nn
import torch.nn.functional as F


class DistillKL(nn.Module):
    """Knowledge distillation (Hinton et al.)

    alpha * T^2 * KL(teacher || student) + (1 - alpha) * cross entropy
    """

    def __init__(self, T=4.0, alpha=0.9):
        super().__init__()
        self.T = T
        self.alpha = alpha

    def forward(self, y_s, y_t, labels):
        p_s = F.softmax(y_s / self.T, dim=1)
        p_t = F.softmax(y_t.detach() / self.T, dim=1)
        kd = F.kl_div(p_s, p_t, reduction="batchmean") * self.T ** 2
        ce = F.cross_entropy(y_s, labels)
        return self.alpha * kd + (1 - self.alpha) * ce
