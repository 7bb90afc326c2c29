import torch
import torch.distributed as dist
import torch.nn as nn
import torch.nn.functional as F


class DINOLoss(nn.Module):
    """Cross entropy between softmax outputs of the teacher and student heads.

    The teacher output is centred with an exponential moving average of its batch
    mean, and sharpened with a low temperature.

    Args:
        num_prototypes (int): output size of the heads.
        student_temp (float), teacher_temp (float): softmax temperatures.
        center_momentum (float): momentum of the running centre.
        num_crops (int): number of views, stacked along the batch dimension.
    """

    def __init__(self, num_prototypes: int = 256, student_temp: float = 0.1,
                 teacher_temp: float = 0.04, center_momentum: float = 0.9, num_crops: int = 2):
        super().__init__()
        self.student_temp = student_temp
        self.teacher_temp = teacher_temp
        self.center_momentum = center_momentum
        self.num_crops = num_crops
        self.register_buffer("center", torch.zeros(1, num_prototypes))

    def forward(self, student_output: torch.Tensor, teacher_output: torch.Tensor) -> torch.Tensor:
        student_out = (student_output / self.student_temp).chunk(self.num_crops)
        teacher_out = F.softmax((teacher_output - self.center) / self.teacher_temp, dim=-1)
        teacher_out = teacher_out.detach().chunk(2)

        total_loss = 0
        n_loss_terms = 0
        for iq, q in enumerate(teacher_out):
            for iv, v in enumerate(student_out):
                if iq == iv:
                    continue
                loss = torch.sum(-q * F.log_softmax(v, dim=-1), dim=-1)
                total_loss = total_loss + loss.mean()
                n_loss_terms += 1
        total_loss = total_loss / n_loss_terms
        self.update_center(teacher_output)
        return total_loss

    @torch.no_grad()
    def update_center(self, teacher_output: torch.Tensor):
        batch_center = torch.sum(teacher_output, dim=0, keepdim=True)
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(batch_center)
            batch_center = batch_center / (len(teacher_output) * dist.get_world_size())
        self.center = self.center * self.center_momentum + batch_center * (1 - self.center_momentum)
