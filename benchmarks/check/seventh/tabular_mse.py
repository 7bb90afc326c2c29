import torch


def weighted_mse(y_pred, y_true, sample_weight=None):
    """
    MSE for the regression tasks of the tabular benchmark.

    :param y_pred: (N,) predictions, ``model(x).squeeze(-1)``
    :param y_true: (N, 1) targets as they come out of the data loader
    :param sample_weight: optional (N,) weights
    """
    loss = (y_pred - y_true) ** 2
    if sample_weight is not None:
        loss = loss * sample_weight
        return loss.sum() / sample_weight.sum()
    return loss.mean()
