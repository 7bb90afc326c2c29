import torch
import torch.nn as nn
import torch.nn.functional as F


def _gt_mask(logits, target):
    target = target.reshape(-1)
    return torch.zeros_like(logits).scatter_(1, target.unsqueeze(1), 1).bool()


def dkd_loss(logits_student, logits_teacher, target, alpha, beta, temperature):
    """Decoupled knowledge distillation: target class part + non-target class part."""
    gt_mask = _gt_mask(logits_student, target)

    log_s = F.log_softmax(logits_student / temperature, dim=1)
    log_t = F.log_softmax(logits_teacher / temperature, dim=1)

    # binary distributions (target, everything else)
    def two_way(logp):
        target_logp = logp[gt_mask]
        other_logp = logp.masked_fill(gt_mask, float('-inf')).logsumexp(dim=1)
        return torch.stack([target_logp, other_logp], dim=1)

    tckd_loss = F.kl_div(two_way(log_s), two_way(log_t), reduction='batchmean', log_target=True) * (temperature ** 2)

    # softmax over the other classes only
    n, c = logits_student.shape
    others_s = logits_student[~gt_mask].view(n, c - 1) / temperature
    others_t = logits_teacher[~gt_mask].view(n, c - 1) / temperature
    nckd_loss = F.kl_div(
        F.log_softmax(others_s, dim=1), F.log_softmax(others_t, dim=1), reduction='batchmean', log_target=True
    ) * (temperature ** 2)
    return alpha * tckd_loss + beta * nckd_loss


class DKD(nn.Module):
    def __init__(self, ce_weight=1.0, alpha=1.0, beta=8.0, temperature=4.0, warmup=20):
        super(DKD, self).__init__()
        self.ce_weight = ce_weight
        self.alpha = alpha
        self.beta = beta
        self.temperature = temperature
        self.warmup = warmup

    def forward(self, logits_student, logits_teacher, target, epoch=20):
        loss_ce = self.ce_weight * F.cross_entropy(logits_student, target)
        loss_dkd = min(epoch / self.warmup, 1.0) * dkd_loss(
            logits_student, logits_teacher.detach(), target, self.alpha, self.beta, self.temperature)
        return {"loss_ce": loss_ce, "loss_kd": loss_dkd, "loss": loss_ce + loss_dkd}
