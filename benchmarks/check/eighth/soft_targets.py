import torch
import torch.nn as nn
import torch.nn.functional as F


class SoftTargetLoss(nn.Module):
    """Distillation criterion with hard and soft targets.

    The soft part is the cross entropy between the tempered teacher and
    student distributions (no entropy subtracted), multiplied by T^2 to keep
    the gradient scale. The hard part is the usual cross entropy with the
    labels. Both are batch means.

    Args:
        T: temperature.
        lam: weight of the soft part; the hard part gets ``1 - lam``.

    Note the argument order: teacher first. The teacher is not trained.
    """

    def __init__(self, T: float = 2.0, lam: float = 0.5):
        super().__init__()
        self.T = T
        self.lam = lam

    def forward(self, teacher_out: torch.Tensor, student_out: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        q = F.softmax(teacher_out.detach() / self.T, dim=-1)
        log_p = F.log_softmax(student_out / self.T, dim=-1)
        soft = -(q * log_p).sum(dim=-1).mean() * self.T ** 2
        hard = F.cross_entropy(student_out, labels)
        return self.lam * soft + (1 - self.lam) * hard
