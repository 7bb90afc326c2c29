import torch


def multilabel_focal_loss(y_pred: torch.Tensor, y_true: torch.Tensor, gamma: float = 2.0) -> torch.Tensor:
    """Focal loss for multi-label tagging.

    Args:
        y_pred: (N, L) float32 probabilities, the output of the sigmoid layer.
        y_true: (N, L) zeros and ones.
        gamma: focusing parameter, 0 gives the binary cross entropy.

    Returns:
        The sum over the labels, averaged over the samples.
    """
    eps = 1e-8
    y_pred = torch.clamp(y_pred, eps, 1 - eps)
    y_true = y_true.to(y_pred.dtype)

    pos = y_true * torch.pow(1 - y_pred, gamma) * torch.log(y_pred)
    neg = (1 - y_true) * torch.pow(y_pred, gamma) * torch.log(1 - y_pred)
    loss = -(pos + neg).sum(dim=1)
    return loss.mean()
