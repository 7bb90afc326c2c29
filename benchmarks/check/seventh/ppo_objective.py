import torch
import torch.nn as nn


class PPOLoss(nn.Module):
    """Clipped PPO objective for a shared actor critic network.

    Args:
        clip_param: clipping range of the ratio.
        vf_clip: clipping range of the value prediction, None to disable.
        vf_coeff: weight of the value loss.
        ent_coeff: weight of the entropy bonus.
    """

    def __init__(self, clip_param=0.2, vf_clip=0.2, vf_coeff=0.5, ent_coeff=0.01):
        super().__init__()
        self.clip_param = clip_param
        self.vf_clip = vf_clip
        self.vf_coeff = vf_coeff
        self.ent_coeff = ent_coeff

    def forward(self, logits, values, actions, old_logp, old_values, advantages, returns):
        """logits: (B, A); everything else: (B,)"""
        dist = torch.distributions.Categorical(logits=logits)
        logp = dist.log_prob(actions)

        ratio = torch.exp(logp - old_logp)
        surr1 = ratio * advantages
        surr2 = torch.clamp(ratio, 1 - self.clip_param, 1 + self.clip_param) * advantages
        policy_loss = -torch.min(surr1, surr2).mean()

        # value function, clipped around the old prediction as in the baselines
        vf_loss1 = (values - returns).pow(2)
        if self.vf_clip is not None:
            v_clipped = old_values + torch.clamp(
                values - old_values, -self.vf_clip, self.vf_clip)
            vf_loss2 = (v_clipped - returns).pow(2)
            vf_loss = 0.5 * torch.min(vf_loss1, vf_loss2).mean()
        else:
            vf_loss = 0.5 * vf_loss1.mean()

        entropy = dist.entropy().mean()
        return policy_loss + self.vf_coeff * vf_loss - self.ent_coeff * entropy
