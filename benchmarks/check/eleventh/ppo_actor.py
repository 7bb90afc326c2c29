import torch


def ppo_policy_loss(log_probs, old_log_probs, advantages, clip_eps=0.2):
    ratio = torch.exp(log_probs - old_log_probs.detach())
    clipped_ratio = torch.clamp(ratio, 1.0 - clip_eps, 1.0 + clip_eps)
    surrogate = torch.min(ratio, clipped_ratio) * advantages
    return -surrogate.mean()
