import torch
import torch.nn.functional as F


def distillation_loss(student_logits, teacher_logits, labels, T=2.0, alpha=0.5, ignore_index=255):
    """Cross entropy with the labels plus KL to the soft labels of a teacher.

    student_logits, teacher_logits: (N, C, H, W); labels: (N, H, W).
    Pixels labelled ``ignore_index`` are left out of both terms.
    """
    valid = labels != ignore_index
    n_valid = valid.sum().clamp(min=1)

    ce = F.cross_entropy(student_logits, labels, ignore_index=ignore_index, reduction="sum") / n_valid

    student = F.softmax(student_logits / T, dim=1)
    with torch.no_grad():
        teacher = F.softmax(teacher_logits / T, dim=1)
    kd = F.kl_div(student, teacher, reduction="none").sum(dim=1)
    kd = (kd * valid).sum() / n_valid * T * T
    return (1 - alpha) * ce + alpha * kd
