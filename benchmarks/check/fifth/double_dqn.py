import torch
import torch.nn as nn
import torch.nn.functional as F


class DoubleDQNLoss(nn.Module):
    """Double DQN with prioritized replay.

    Args:
        gamma: discount, n_step: length of the returns in ``rewards``.
    q, next_q_online, next_q_target: (B, A); actions, rewards, dones and
    is_weights: (B,). Returns the loss and the new priorities |td|.
    """

    def __init__(self, gamma=0.99, n_step=1):
        super().__init__()
        self.discount = gamma ** n_step

    def forward(self, q, actions, rewards, dones, next_q_online, next_q_target, is_weights):
        q_taken = q.gather(1, actions.unsqueeze(1)).squeeze(1)
        with torch.no_grad():
            best = next_q_online.argmax(dim=1, keepdim=True)
            next_value = next_q_target.gather(1, best).squeeze(1)
            target = rewards + self.discount * (1.0 - dones.to(q.dtype)) * next_value
        loss = (is_weights * F.smooth_l1_loss(q_taken, target, reduction="none")).mean()
        return loss, (target - q_taken).detach().abs()
