import math

import torch


def sac_actor_loss(mean, log_std, noise, q_value, alpha=0.2):
    """Actor loss of soft actor-critic with a tanh-squashed Gaussian policy.

    mean, log_std, noise: (B, A); the action is tanh(mean + exp(log_std) * noise)
    q_value: (B,) critic value of that action
    Minimises E[alpha * log pi(a|s) - Q(s, a)].
    """
    std = log_std.exp()
    u = mean + std * noise
    action = torch.tanh(u)
    log_prob = -0.5 * ((u - mean) / std) ** 2 - log_std - 0.5 * math.log(2 * math.pi)
    log_prob = log_prob - torch.log(1 - torch.tanh(action).pow(2) + 1e-7)
    log_prob = log_prob.sum(dim=-1)
    return (alpha * log_prob - q_value).mean()
