import torch
import torch.nn as nn
import torch.nn.functional as F


class ActorCriticLoss(nn.Module):
    """Advantage actor-critic objective.

    All inputs are flat (T,) tensors of one rollout: the log probability of the
    taken actions, the critic's values, the empirical returns and the policy's
    entropies. Returns a dict; back-propagate ``loss``.
    """

    def __init__(self, value_coef=0.5, entropy_coef=0.01):
        super().__init__()
        self.value_coef = value_coef
        self.entropy_coef = entropy_coef

    def forward(self, log_probs, values, returns, entropy):
        assert log_probs.shape == values.shape == returns.shape
        returns = returns.detach()
        advantage = returns - values

        policy_loss = -(log_probs * advantage).mean()
        value_loss = F.smooth_l1_loss(values, returns)
        entropy_bonus = entropy.mean()

        loss = policy_loss + self.value_coef * value_loss - self.entropy_coef * entropy_bonus
        return {
            "loss": loss,
            "policy_loss": policy_loss.detach(),
            "value_loss": value_loss.detach(),
            "entropy": entropy_bonus.detach(),
        }
