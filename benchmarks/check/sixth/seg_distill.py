import torch
import torch.nn as nn
import torch.nn.functional as F


class SegDistillLoss(nn.Module):
    """Stage-2 distillation for domain adaptive segmentation: hard pseudo labels plus the
    per-pixel KL divergence KL(teacher || student)."""

    def __init__(self, lambda_kd=1.0, ignore_index=250):
        super().__init__()
        self.lambda_kd = lambda_kd
        self.ignore_index = ignore_index

    def forward(self, student_out, teacher_out, pseudo_label):
        n, c, h, w = student_out.shape
        valid = (pseudo_label != self.ignore_index)
        loss_ce = F.cross_entropy(student_out, pseudo_label, ignore_index=self.ignore_index, reduction='sum')
        loss_ce = loss_ce / valid.sum().clamp(min=1)

        student = F.softmax(student_out, dim=1)
        with torch.no_grad():
            teacher = F.softmax(teacher_out, dim=1)
        loss_kd = F.kl_div(student, teacher, reduction='none').sum(dim=1)
        loss_kd = loss_kd.mean()

        return loss_ce + self.lambda_kd * loss_kd
