import torch
import torch.nn as nn
import torch.nn.functional as F


class A2CLoss(nn.Module):
    """Advantage actor-critic loss.

    logits: (B, A) of the policy, values: (B,), actions: (B,), returns: (B,)
    """

    def __init__(self, value_coef=0.5, entropy_coef=0.01):
        super().__init__()
        self.value_coef = value_coef
        self.entropy_coef = entropy_coef

    def forward(self, logits, values, actions, returns):
        log_probs = F.log_softmax(logits, dim=-1)
        log_prob = log_probs.gather(1, actions.unsqueeze(1)).squeeze(1)
        advantages = (returns - values).detach()
        policy_loss = -(log_prob * advantages).mean()
        value_loss = F.mse_loss(values, returns)
        entropy = -(log_probs.exp() * log_probs).sum(dim=-1).mean()
        return policy_loss + self.value_coef * value_loss - self.entropy_coef * entropy
