import torch


def tag_focal_loss(y_pred, y_true, gamma=2.0, eps=1e-8):
    """Focal loss for multi-label tagging on sigmoid outputs.

    The loss of the tags of a picture is summed, then averaged over pictures.

    Args:
        y_pred: (N, T) probabilities, the output of a sigmoid layer
        y_true: (N, T) with 1 for present tags and 0 for absent ones
        gamma: focusing parameter
        eps: keeps the logarithms finite for saturated outputs
    """
    y_true = y_true.to(y_pred.dtype)
    y_pred = torch.clamp(y_pred, eps, 1.0 - eps)
    pos = y_true * (1 - y_pred) ** gamma * torch.log(y_pred)
    neg = (1 - y_true) * y_pred**gamma * torch.log(1 - y_pred)
    return -(pos + neg).sum(dim=1).mean()
