import torch
import torch.nn as nn
import torch.nn.functional as F


class DistillationLoss(nn.Module):
    """alpha * T^2 * KL(teacher || student) + (1 - alpha) * CE."""

    def __init__(self, T=4.0, alpha=0.7):
        super().__init__()
        self.T = T
        self.alpha = alpha

    def forward(self, student, teacher, labels):
        log_s = F.log_softmax(student / self.T, dim=1)
        log_t = F.log_softmax(teacher.detach() / self.T, dim=1)
        # kl_div(input, target) = sum target * (log target - input)
        soft = F.kl_div(log_s, log_t, log_target=True, reduction="batchmean")
        hard = F.cross_entropy(student, labels)
        return self.alpha * self.T ** 2 * soft + (1 - self.alpha) * hard
