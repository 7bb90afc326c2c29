import torch


def group_advantages(rewards, num_generations, eps=1e-4, scale_rewards=True):
    """rewards: (num_prompts * num_generations,), completions of a prompt are adjacent"""
    grouped = rewards.view(-1, num_generations)
    adv = grouped - grouped.mean(dim=1, keepdim=True)
    if scale_rewards:
        adv = adv / (grouped.std(dim=1, keepdim=True, unbiased=num_generations > 1) + eps)
    return adv.view(-1)


def grpo_loss(logps, rewards, completion_mask, old_logps=None, ref_logps=None, num_generations=4,
              epsilon_low=0.2, epsilon_high=0.28, beta=0.04, loss_type="grpo"):
    """GRPO objective with asymmetric clipping.

    logps, old_logps, ref_logps: (B, T) log probs of the sampled tokens; completion_mask: (B, T)
    old_logps may be left out in the on-policy case (one update per rollout).
    loss_type: "grpo" averages per sequence, then over sequences; "dapo" averages over all tokens
    """
    mask = completion_mask.to(logps.dtype)
    advantages = group_advantages(rewards, num_generations).detach().unsqueeze(1)

    # exp(logps - logps.detach()) is 1, but carries the policy gradient
    old = logps.detach() if old_logps is None else old_logps.detach()
    log_ratio = torch.where(mask > 0, logps - old, torch.zeros_like(logps))
    coef_1 = torch.exp(log_ratio)
    coef_2 = torch.clamp(coef_1, 1 - epsilon_low, 1 + epsilon_high)
    per_token_loss = -torch.min(coef_1 * advantages, coef_2 * advantages)

    if beta != 0.0 and ref_logps is not None:
        delta = torch.where(mask > 0, ref_logps.detach() - logps, torch.zeros_like(logps))
        per_token_kl = torch.exp(delta) - delta - 1
        per_token_loss = per_token_loss + beta * per_token_kl

    if loss_type == "grpo":
        per_seq = (per_token_loss * mask).sum(-1) / mask.sum(-1).clamp(min=1.0)
        return per_seq.mean()
    elif loss_type == "dapo":
        return (per_token_loss * mask).sum() / mask.sum().clamp(min=1.0)
    raise ValueError(f"Unknown loss type: {loss_type}")
