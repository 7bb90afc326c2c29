import torch
import torch.nn as nn


def masked_mean(x, mask, dim=None):
    if dim is None:
        return (x * mask).sum() / mask.sum().clamp(min=1.0)
    return (x * mask).sum(dim=dim) / mask.sum(dim=dim).clamp(min=1.0)


def group_normalize(rewards, valid, eps=1e-6):
    """Z-score of the rewards inside each prompt's group of samples.

    rewards, valid: (num_prompts, group_size); valid is 0 for samples that
    were dropped (time-outs), their advantage is 0.
    """
    mean = masked_mean(rewards, valid, dim=1)
    centered = (rewards - mean) * valid
    var = masked_mean(centered ** 2, valid, dim=1).unsqueeze(1)
    return centered / (var.sqrt() + eps)


class GRPOLoss(nn.Module):
    """Group Relative Policy Optimization.

    Args:
        group_size: number of samples per prompt. The batch is ordered
            prompt by prompt.
        clip_eps: PPO clipping range.
        kl_coef: weight of the k3 estimator of KL(policy || reference).
    """

    def __init__(self, group_size, clip_eps=0.2, kl_coef=0.04):
        super().__init__()
        self.group_size = group_size
        self.clip_eps = clip_eps
        self.kl_coef = kl_coef

    def advantages(self, rewards, valid=None):
        r = rewards.view(-1, self.group_size)
        v = torch.ones_like(r) if valid is None else valid.view_as(r).to(r.dtype)
        return group_normalize(r, v).view(-1)

    def forward(self, log_probs, old_log_probs, ref_log_probs,
                rewards, completion_mask, valid=None):
        """
        log_probs, old_log_probs, ref_log_probs, completion_mask: (B, T)
        rewards, valid: (B,)
        """
        adv = self.advantages(rewards, valid).detach().unsqueeze(1)
        mask = completion_mask.to(log_probs.dtype)

        ratio = torch.exp((log_probs - old_log_probs) * mask)
        surr1 = ratio * adv
        surr2 = ratio.clamp(1 - self.clip_eps, 1 + self.clip_eps) * adv
        policy_loss = -torch.min(surr1, surr2)

        log_r = (ref_log_probs - log_probs) * mask
        kl = torch.exp(log_r) - log_r - 1

        per_token = policy_loss + self.kl_coef * kl
        per_seq = masked_mean(per_token, mask, dim=1)
        return per_seq.mean()
