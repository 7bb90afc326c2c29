import torch


def log_cosh_loss(y_pred, y_true, reduction="mean"):
    """Log-cosh: quadratic near zero, linear for big errors, so outliers
    in the targets do not dominate the way they do with MSE."""
    err = y_pred - y_true
    loss = torch.log(torch.cosh(err))
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    return loss
