import torch


def regression_loss(predicted_box_deltas, y_true, sigma=1.0):
    """
    Box regression loss of the Faster R-CNN detector stage (smooth L1).

    Parameters
    ----------
    predicted_box_deltas : torch.Tensor
        (N, 4 * C) tensor of predicted box deltas (ty, tx, th, tw) per class.
    y_true : torch.Tensor
        (N, 2, 4 * C) tensor. [:,0,:] holds the mask of the targets to include
        (the 4 columns of the true class) and [:,1,:] the regression targets.
    sigma : float
        Smooth L1 transition: quadratic below 1 / sigma^2.

    Returns
    -------
    torch.Tensor
        Scalar loss, normalised by the number of proposals.
    """
    sigma_squared = sigma * sigma

    y_mask = y_true[:, 0, :]
    y_target = y_true[:, 1, :]

    # element-wise smooth L1
    x = y_target - predicted_box_deltas
    x_abs = torch.abs(x)
    is_negative_branch = (x < (1.0 / sigma_squared)).float()
    R_negative_branch = 0.5 * x * x * sigma_squared
    R_positive_branch = x_abs - 0.5 / sigma_squared
    losses = is_negative_branch * R_negative_branch \
        + (1.0 - is_negative_branch) * R_positive_branch

    # Normalise by the number of proposals, as in the paper
    N = max(y_true.shape[0], 1)
    return torch.sum(y_mask * losses) / N
