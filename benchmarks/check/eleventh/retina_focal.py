import torch
import torch.nn.functional as F


def sigmoid_focal_loss(logits, targets, alpha=0.25, gamma=2.0):
    """RetinaNet classification loss: sum over the anchors divided by the number of positives.

    logits, targets: (num_anchors, num_classes), targets 0/1
    """
    targets = targets.to(logits.dtype)
    p = torch.sigmoid(logits)
    ce = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    p_t = p * targets + (1 - p) * (1 - targets)
    alpha_t = alpha * targets + (1 - alpha) * (1 - targets)
    loss = alpha_t * (1 - p_t) ** gamma * ce
    num_pos = targets.sum().clamp(min=1.0)
    return loss.sum() / num_pos
