import torch
import torch.nn as nn
import torch.nn.functional as F


class DoubleDQNLoss(nn.Module):
    """n-step double DQN with prioritised replay.

    q, q_next_online, q_next_target: (B, A); actions (B,) long; rewards, dones (B,)
    weights: (B,) importance sampling weights, optional
    returns the loss and |td error| for updating the priorities
    """

    def __init__(self, gamma=0.99, n_steps=1):
        super().__init__()
        self.gamma = gamma ** n_steps

    def forward(self, q, q_next_online, q_next_target, actions, rewards, dones, weights=None):
        q_a = q.gather(1, actions.long().view(-1, 1)).squeeze(1)
        with torch.no_grad():
            next_actions = q_next_online.argmax(dim=1, keepdim=True)
            q_next = q_next_target.gather(1, next_actions).squeeze(1)
            target = rewards.to(q.dtype) + self.gamma * (1 - dones.to(q.dtype)) * q_next

        elementwise = F.smooth_l1_loss(q_a, target, reduction="none")
        if weights is not None:
            elementwise = elementwise * weights
        return elementwise.mean(), (q_a - target).abs().detach()
