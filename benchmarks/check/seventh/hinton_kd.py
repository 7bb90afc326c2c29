import torch.nn.functional as F


def distillation_loss(student_logits, teacher_logits, labels, T=4.0, alpha=0.9):
    """Knowledge distillation (Hinton et al. 2015).

    alpha * T^2 * KL(teacher_T || student_T) + (1 - alpha) * CE(student, labels)

    The T^2 keeps the gradient of the soft targets on the same scale when the
    temperature changes.
    """
    log_p = F.log_softmax(student_logits / T, dim=1)
    log_q = F.log_softmax(teacher_logits.detach() / T, dim=1)
    soft = F.kl_div(log_p, log_q, reduction="batchmean", log_target=True) * (T * T)
    hard = F.cross_entropy(student_logits, labels)
    return alpha * soft + (1.0 - alpha) * hard
