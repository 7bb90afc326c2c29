import torch
import torch.nn as nn
import torch.nn.functional as F


class KnowledgeDistillationLoss(nn.Module):
    """alpha * T^2 * KL(teacher || student) + (1 - alpha) * cross entropy.

    Args:
        temperature: T, softens both distributions.
        alpha: share of the soft targets.
    """

    def __init__(self, temperature=4.0, alpha=0.7):
        super().__init__()
        self.T = temperature
        self.alpha = alpha

    def forward(self, student_logits, teacher_logits, labels):
        log_s = F.log_softmax(student_logits / self.T, dim=-1)
        log_t = F.log_softmax(teacher_logits.detach() / self.T, dim=-1)
        soft = F.kl_div(log_s, log_t, reduction="batchmean", log_target=True) * self.T ** 2
        hard = F.cross_entropy(student_logits, labels)
        return self.alpha * soft + (1 - self.alpha) * hard
