import torch
import torch.nn.functional as F


def corn_loss(logits, y_train, num_classes):
    """CORN loss for ordinal regression.

    logits: (N, num_classes - 1), task k models P(y > k | y > k - 1)
    y_train: (N,) ranks 0 .. num_classes - 1
    """
    losses = 0.0
    num_examples = 0
    for k in range(num_classes - 1):
        in_task = y_train > k - 1
        if not in_task.any():
            continue
        pred = logits[in_task, k]
        label = (y_train[in_task] > k).to(logits.dtype)
        num_examples += int(in_task.sum())
        losses = losses - (F.logsigmoid(pred) * label + (F.logsigmoid(pred) - pred) * (1 - label)).sum()
    return losses / num_examples
