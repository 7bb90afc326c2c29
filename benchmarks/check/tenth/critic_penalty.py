import torch


def gradient_penalty(gradients, lambda_gp=10.0):
    '''
    Gradient penalty of WGAN-GP.
    gradients: d critic(mixed_images) / d mixed_images, shape (batch, channels, height, width)
    returns lambda * mean over the batch of (||grad||_2 - 1)^2
    '''
    gradient_norm = gradients.norm(2, dim=1)
    penalty = ((gradient_norm - 1) ** 2).mean()
    return lambda_gp * penalty
