import torch
import torch.nn.functional as F


def kd_loss(student_logits, teacher_logits, labels, T=3.0, lam=0.5):
    # teacher is fixed
    soft_t = F.softmax(teacher_logits.detach() / T, dim=1)
    log_s = F.log_softmax(student_logits / T, dim=1)
    distill = F.kl_div(log_s, soft_t, reduction="batchmean") * (T * T)
    hard = F.cross_entropy(student_logits, labels)
    return lam * distill + (1.0 - lam) * hard
