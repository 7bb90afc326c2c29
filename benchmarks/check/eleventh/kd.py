import torch.nn as nn
import torch.nn.functional as F


class DistillationLoss(nn.Module):
    def __init__(self, T=4.0, alpha=0.9):
        super().__init__()
        self.T = T
        self.alpha = alpha

    def forward(self, student_logits, teacher_logits, labels):
        soft_targets = F.softmax(teacher_logits.detach() / self.T, dim=1)
        log_student = F.log_softmax(student_logits / self.T, dim=1)
        kd = F.kl_div(log_student, soft_targets, reduction="batchmean") * self.T ** 2
        ce = F.cross_entropy(student_logits, labels)
        return self.alpha * kd + (1 - self.alpha) * ce
