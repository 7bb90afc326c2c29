import torch
import torch.nn.functional as F


def corn_loss(logits, y_train, num_classes):
    """CORN loss for rank consistent ordinal regression (Shi et al. 2021).

    The task k is trained on the conditional subset S_k of the examples with
    a rank > k - 1; the loss is averaged over the examples of all subsets.

    Args:
        logits: (N, num_classes - 1)
        y_train: (N,) class labels in [0, num_classes - 1]
        num_classes: number of ordinal classes.

    Example:
        >>> logits = net(features)
        >>> loss = corn_loss(logits, targets, num_classes=5)
    """
    sets = []
    for i in range(num_classes - 1):
        label_mask = y_train > i - 1
        label_tensor = (y_train[label_mask] > i).to(logits.dtype)
        sets.append((label_mask, label_tensor))

    losses = logits.sum() * 0.0
    for task_index, (train_examples, train_labels) in enumerate(sets):
        if len(train_labels) < 1:
            continue
        pred = logits[train_examples, task_index]
        loss = -torch.sum(
            F.logsigmoid(pred) * train_labels
            + (F.logsigmoid(pred) - pred) * (1 - train_labels)
        )
        losses = losses + loss
    return losses / num_classes
