import torch
import torch.nn as nn
import torch.nn.functional as F


class StudentTeacher(nn.Module):
    """Knowledge distillation of Hinton et al.

    ``total = (1 - lam) * CE(student, labels) + lam * T**2 * KL(teacher || student)``
    where the KL uses logits divided by T and is averaged over the batch. No
    gradient reaches the teacher.

    Args:
        T (float): temperature. Default: 4
        lam (float): share of the soft term. Default: 0.9

    Returns:
        tuple (total, hard, soft)
    """

    def __init__(self, T=4.0, lam=0.9):
        super().__init__()
        self.T = T
        self.lam = lam

    def forward(self, student, teacher, labels):
        hard = F.cross_entropy(student, labels)
        log_q = F.log_softmax(student / self.T, dim=1)
        log_p = F.log_softmax(teacher.detach() / self.T, dim=1)
        soft = self.T**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
        return (1 - self.lam) * hard + self.lam * soft, hard, soft
