import torch
import torch.nn as nn
import torch.nn.functional as F


class DoubleDQNLoss(nn.Module):
    """TD loss of double DQN with n-step returns and prioritised replay.

    Args:
        gamma: discount factor.
        n_step: number of steps of the return in ``rewards``.
        huber_delta: transition point of the Huber loss.

    After a call ``td_errors`` holds the absolute errors for the update of
    the priorities.
    """

    def __init__(self, gamma=0.99, n_step=1, huber_delta=1.0):
        super().__init__()
        self.gamma = gamma
        self.n_step = n_step
        self.huber_delta = huber_delta
        self.td_errors = None

    @torch.no_grad()
    def td_target(self, next_q_online, next_q_target, rewards, dones, action_mask=None):
        if action_mask is not None:
            next_q_online = next_q_online.masked_fill(~action_mask, -1e9)
        # the online network selects, the target network evaluates
        next_actions = next_q_online.argmax(dim=1, keepdim=True)
        next_q = next_q_target.gather(1, next_actions).squeeze(1)
        not_done = 1.0 - dones.to(next_q.dtype)
        return rewards + self.gamma ** self.n_step * not_done * next_q

    def forward(self, q_values, next_q_online, next_q_target, actions, rewards, dones,
                weights=None, action_mask=None):
        """
        q_values, next_q_online, next_q_target: (B, A)
        actions, rewards, dones: (B,)
        weights: (B,) importance sampling weights
        action_mask: (B, A) True for the legal actions of the next state
        """
        target = self.td_target(next_q_online, next_q_target, rewards, dones, action_mask)
        q = q_values.gather(1, actions.long().unsqueeze(1)).squeeze(1)

        self.td_errors = (q - target).detach().abs()
        loss = F.huber_loss(q, target, reduction="none", delta=self.huber_delta)
        if weights is not None:
            loss = loss * weights
        return loss.mean()
