import torch
import torch.nn as nn
import torch.nn.functional as F


class SelfDistillKL(nn.Module):
    """KL(teacher || student) between the two segmentation heads, per pixel."""

    def __init__(self, weight=1.0):
        super().__init__()
        self.weight = weight

    def forward(self, student_out, teacher_out):
        student = F.softmax(student_out, dim=1)
        with torch.no_grad():
            teacher = F.softmax(teacher_out, dim=1)
        loss_kd = F.kl_div(student, teacher, reduction='none').sum(dim=1)
        return self.weight * loss_kd.mean()
