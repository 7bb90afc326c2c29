import torch
import torch.nn.functional as F


def corn_loss(logits, y_train, num_classes):
    """Computes the CORN loss for ordinal labels (Shi, Cao & Raschka, 2021).

    Task i is trained on the subset S_i of examples with y > i - 1 and predicts y > i. The loss is
    the average binary cross entropy over all examples of all subsets, i.e. the sum divided
    by sum_i |S_i|.

    Parameters
    ----------
    logits : torch.tensor, shape=(num_examples, num_classes-1)
    y_train : torch.tensor, shape=(num_examples)
        Rank labels 0, ..., num_classes-1.
    num_classes : int

    Returns
    ----------
        loss : torch.tensor, scalar
    """
    sets = []
    for i in range(num_classes - 1):
        label_mask = y_train > i - 1
        label_tensor = (y_train[label_mask] > i).to(torch.int64)
        sets.append((label_mask, label_tensor))

    losses = 0.
    for task_index, s in enumerate(sets):
        train_examples, train_labels = s
        if len(train_labels) < 1:
            continue

        pred = logits[train_examples, task_index]
        loss = -torch.sum(F.logsigmoid(pred) * train_labels
                          + (F.logsigmoid(pred) - pred) * (1 - train_labels))
        losses += loss
    return losses / num_classes
