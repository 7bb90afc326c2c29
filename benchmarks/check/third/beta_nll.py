import torch


def beta_nll_loss(mean, variance, target, beta=0.5):
    """Compute beta-NLL loss

    :param mean: Predicted mean of shape B x D
    :param variance: Predicted variance of shape B x D, positive
    :param target: Target of shape B x D
    :param beta: between 0 and 1, relative weighting between data points; 0 is the plain
        negative log likelihood, 1 weights all points equally for the mean
    :returns: Loss per batch element of shape B
    """
    loss = 0.5 * ((target - mean) ** 2 / variance + variance.log())

    if beta > 0:
        loss = loss * (variance.detach() ** beta)

    return loss.sum(axis=-1)
