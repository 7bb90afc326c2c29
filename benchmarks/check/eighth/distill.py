import torch
import torch.nn.functional as F


def distillation_loss(
    student_logits: torch.Tensor,
    teacher_logits: torch.Tensor,
    labels: torch.Tensor,
    temperature: float = 4.0,
    alpha: float = 0.7,
) -> torch.Tensor:
    """Knowledge distillation (Hinton et al., 2015).

    ``alpha * T^2 * KL(teacher || student) + (1 - alpha) * CE(student, labels)``
    with both distributions softened by the temperature T. The divergence is
    averaged over the samples of the batch; no gradient goes to the teacher.

    Args:
        student_logits: (N, C) outputs of the network being trained.
        teacher_logits: (N, C) outputs of the frozen teacher.
        labels: (N,) ground truth classes.
        temperature: softening temperature.
        alpha: weight of the soft targets.
    """
    student = F.softmax(student_logits / temperature, dim=1)
    with torch.no_grad():
        teacher = F.softmax(teacher_logits / temperature, dim=1)

    soft = F.kl_div(student, teacher, reduction="batchmean") * temperature ** 2
    hard = F.cross_entropy(student_logits, labels)
    return alpha * soft + (1 - alpha) * hard
