import torch.nn.functional as F


def loss_fn_kd(outputs, labels, teacher_outputs, alpha=0.9, temperature=4.0):
    """
    Knowledge distillation: alpha * T^2 * KL(teacher || student) + (1 - alpha) * CE.

    outputs, teacher_outputs: logits (N, C)
    """
    T = temperature
    student = F.softmax(outputs / T, dim=1)
    teacher = F.softmax(teacher_outputs.detach() / T, dim=1)
    soft = F.kl_div(student, teacher, reduction='batchmean') * (T * T)
    hard = F.cross_entropy(outputs, labels)
    return alpha * soft + (1. - alpha) * hard
