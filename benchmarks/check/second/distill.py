import torch
import torch.nn.functional as F


def knowledge_distillation(student_logits, teacher_logits, labels, temperature=4.0, alpha=0.5):
    """Hinton-style distillation.

    Soft and hard term are mixed with alpha. The soft term is scaled with the
    squared temperature, so the balance of the gradients stays about the same
    when the temperature is changed.
    """
    soft_targets = F.softmax(teacher_logits.detach() / temperature, dim=-1)
    log_probs = F.log_softmax(student_logits / temperature, dim=-1)
    soft_loss = F.kl_div(log_probs, soft_targets, reduction="batchmean")
    hard_loss = F.cross_entropy(student_logits, labels)
    return alpha * soft_loss + (1.0 - alpha) * hard_loss
