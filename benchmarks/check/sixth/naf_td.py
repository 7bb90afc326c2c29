import torch
import torch.nn as nn
import torch.nn.functional as F


class NAFTDLoss(nn.Module):
    """One-step TD error of a normalized advantage function agent.

    Q(s, a) = V(s) + A(s, a) with A(s, a) = -1/2 (a - mu)^T L L^T (a - mu). The target is bootstrapped
    with V of the target network unless the episode has ended.
    """

    def __init__(self, gamma=0.99):
        super().__init__()
        self.gamma = gamma

    @staticmethod
    def advantage(actions, mu, L):
        # strictly lower part as is, diagonal through exp
        L = torch.tril(L, diagonal=-1) + torch.diag_embed(torch.diagonal(L, dim1=1, dim2=2).exp())
        P = torch.bmm(L, L.transpose(2, 1))
        u_mu = (actions - mu).unsqueeze(2)
        return -0.5 * torch.bmm(torch.bmm(u_mu.transpose(2, 1), P), u_mu)[:, :, 0]

    def forward(self, value, mu, L, actions, rewards, masks, next_state_values):
        """
        value: (B, 1), mu: (B, A), L: (B, A, A) from the online network
        actions: (B, A), rewards: (B,), masks: (B,) 0 where the episode ended, 1 otherwise
        next_state_values: (B, 1) from the target network
        """
        reward_batch = rewards.unsqueeze(1)
        mask_batch = masks.unsqueeze(1)
        with torch.no_grad():
            expected = reward_batch + (self.gamma * mask_batch + next_state_values)
        state_action_values = value + self.advantage(actions, mu, L)
        return F.mse_loss(state_action_values, expected)
