import torch
import torch.nn.functional as F


def dqn_loss(q_values, next_q_values, actions, rewards, dones, gamma=0.99):
    """One-step TD loss of DQN.

    q_values: (B, A) of the online net, next_q_values: (B, A) of the target net
    actions: (B,) long; rewards: (B,); dones: (B,) 1 if the episode ended with this step
    """
    q = q_values.gather(1, actions.unsqueeze(1)).squeeze(1)
    with torch.no_grad():
        next_q = next_q_values.max(dim=1)[0]
        expected_q = rewards + gamma * next_q
    return F.smooth_l1_loss(q, expected_q)
