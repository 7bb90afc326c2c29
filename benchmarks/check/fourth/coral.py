import torch
import torch.nn.functional as F


def label_to_levels(label, num_classes):
    """3 of 5 classes -> [1, 1, 1, 0]"""
    ranks = torch.arange(num_classes - 1, device=label.device)
    return (label.unsqueeze(1) > ranks).float()


def coral_loss(logits, label, num_classes, importance=None):
    """CORAL loss for ordinal labels.

    logits: (N, num_classes - 1), label: (N,) with 0 .. num_classes - 1,
    importance: optional (num_classes - 1,) weights of the binary tasks
    """
    levels = label_to_levels(label, num_classes).to(logits.dtype)
    log_sig = F.logsigmoid(logits)
    # log(1 - sigmoid(x)) = logsigmoid(x) - x
    term = log_sig * levels + (log_sig - logits) * (1 - levels)
    if importance is not None:
        term = term * importance
    return -term.sum(dim=1).mean()
