import torch
import torch.nn.functional as F


def lm_loss(logits, labels, pad_id=0):
    """Next-token loss. logits (B, T, V), labels (B, T) are the input ids,
    positions holding pad_id do not count."""
    shift_logits = logits[:, :-1, :]
    shift_labels = labels[:, 1:]
    shift_labels[shift_labels == pad_id] = -100

    total = F.cross_entropy(shift_logits.reshape(-1, logits.size(-1)),
                            shift_labels.reshape(-1),
                            ignore_index=-100, reduction="sum")
    return total / (shift_labels != -100).sum().clamp(min=1)
