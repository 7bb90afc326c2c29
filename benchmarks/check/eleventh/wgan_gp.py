def gradient_penalty(gradients, lambda_gp=10.0):
    """WGAN-GP penalty (Gulrajani et al. 2017).

    gradients: gradient of the critic scores with respect to the interpolated
        images, shape (batch, channels, height, width).
    The norm of the gradient of every sample is pushed towards 1.
    """
    gradient_norm = gradients.norm(2, dim=1)
    return lambda_gp * ((gradient_norm - 1) ** 2).mean()
