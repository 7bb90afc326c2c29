import torch
import torch.nn as nn
import torch.nn.functional as F


class DINOLoss(nn.Module):
    """Self-distillation with centering and sharpening of the teacher.

    Args:
        out_dim: dimension of the heads.
        center_momentum: the center is an exponential moving average of the
            teacher's outputs; it is updated after the loss in training mode.
    student_out: list of (B, out_dim) for all crops, the first ones being the
    global crops; teacher_out: list of (B, out_dim) for the global crops. Pairs
    of the same crop are skipped.
    """

    def __init__(self, out_dim=64, student_temp=0.1, teacher_temp=0.04, center_momentum=0.9):
        super().__init__()
        self.student_temp = student_temp
        self.teacher_temp = teacher_temp
        self.center_momentum = center_momentum
        self.register_buffer("center", torch.zeros(1, out_dim))

    def forward(self, student_out, teacher_out):
        teacher_out = [t.detach() for t in teacher_out]
        total, n_terms = 0.0, 0
        for i, t in enumerate(teacher_out):
            q = F.softmax((t - self.center) / self.teacher_temp, dim=-1)
            for j, s in enumerate(student_out):
                if i == j:
                    continue
                logp = F.log_softmax(s / self.student_temp, dim=-1)
                total = total - (q * logp).sum(dim=-1).mean()
                n_terms += 1
        if self.training:
            self.update_center(torch.cat(teacher_out))
        return total / n_terms

    @torch.no_grad()
    def update_center(self, teacher_output):
        batch_center = teacher_output.mean(dim=0, keepdim=True)
        self.center.mul_(self.center_momentum).add_(batch_center, alpha=1 - self.center_momentum)
