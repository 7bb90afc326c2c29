import torch
import torch.nn.functional as F


def a2c_loss(log_probs, values, returns, entropies, value_coef=0.5, entropy_coef=0.01):
    """Advantage actor-critic, all arguments (T,).

    log_probs: of the taken actions, values: critic outputs V(s_t),
    returns: bootstrapped n-step returns (no gradient), entropies: of the policy
    """
    advantages = returns - values
    policy_loss = -(log_probs * advantages).mean()
    value_loss = F.mse_loss(values, returns)
    entropy = entropies.mean()
    return policy_loss + value_coef * value_loss - entropy_coef * entropy
