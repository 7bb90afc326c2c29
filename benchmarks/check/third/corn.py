import torch
import torch.nn.functional as F


def corn_loss(logits, y_train, num_classes=None):
    """CORN loss for rank-consistent ordinal regression.

    Conditional binary tasks P(y > i | y > i - 1); the loss is the binary cross entropy averaged
    over all (example, task) pairs that enter a conditional training set.

    logits: (num_examples, num_classes - 1), y_train: (num_examples,) in 0 .. num_classes - 1
    """
    if num_classes is None:
        num_classes = logits.shape[1] + 1
    sets = []
    for i in range(num_classes - 1):
        label_mask = y_train > i - 1
        label_tensor = (y_train[label_mask] > i).to(logits.dtype)
        sets.append((label_mask, label_tensor))

    num_examples = 0
    losses = 0.
    for task_index, (train_examples, train_labels) in enumerate(sets):
        if len(train_labels) < 1:
            continue

        num_examples += len(train_labels)
        pred = logits[train_examples, task_index]

        loss = -torch.sum(F.logsigmoid(pred) * train_labels
                          + (F.logsigmoid(pred) - pred) * (1 - train_labels))
        losses += loss

    return losses / num_classes
