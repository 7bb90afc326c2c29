import torch
import torch.nn as nn
import torch.nn.functional as F


class DistillationLoss(nn.Module):
    """
    Knowledge distillation (Hinton et al.)
    loss = alpha * T^2 * KL(teacher_T || student_T) + (1 - alpha) * CE(student, labels)
    """

    def __init__(self, temperature=4.0, alpha=0.9):
        super().__init__()
        self.temperature = temperature
        self.alpha = alpha
        self.kl = nn.KLDivLoss(reduction='batchmean')
        self.ce = nn.CrossEntropyLoss()

    def forward(self, output, large_logits, target):
        large_logits = large_logits.detach()
        soft_targets = F.softmax(large_logits / self.temperature, dim=-1)
        soft_prob = F.log_softmax(large_logits / self.temperature, dim=-1)
        soft_loss = self.kl(soft_prob, soft_targets) * self.temperature ** 2
        hard_loss = self.ce(output, target)
        return self.alpha * soft_loss + (1 - self.alpha) * hard_loss
