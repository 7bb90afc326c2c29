import torch


def focal_loss(y_pred, y_true, gamma=2.0, eps=1e-8):
    """
    Focal loss for a model whose last layer is a sigmoid.
    y_pred: probabilities in [0, 1], shape (N,)
    y_true: 0/1 labels, shape (N,)
    """
    y_pred = torch.clamp(y_pred, eps, 1 - eps)   # avoid log(0)
    y_true = y_true.to(y_pred.dtype)
    pos = y_true * torch.pow(1 - y_pred, gamma) * torch.log(y_pred)
    neg = (1 - y_true) * torch.pow(y_pred, gamma) * torch.log(1 - y_pred)
    return -(pos + neg).sum() / y_pred.size(0)
