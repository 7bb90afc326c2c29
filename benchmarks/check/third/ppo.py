import torch


def ppo_loss(logprob, old_logprob, advantages, values, old_values, returns, entropy,
             clip_coef=0.2, vf_coef=0.5, ent_coef=0.01, norm_adv=True, clip_vloss=True):
    """CleanRL style clipped objective, everything flat (minibatch,). Returns loss and logging dict."""
    logratio = logprob - old_logprob
    ratio = logratio.exp()

    with torch.no_grad():
        approx_kl = ((ratio - 1) - logratio).mean()
        clipfrac = ((ratio - 1.0).abs() > clip_coef).float().mean()

    advantages = advantages.detach()
    if norm_adv and advantages.numel() > 1:
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)

    # Policy loss
    pg_loss1 = -advantages * ratio
    pg_loss2 = -advantages * torch.clamp(ratio, 1 - clip_coef, 1 + clip_coef)
    pg_loss = torch.max(pg_loss1, pg_loss2).mean()

    # Value loss
    values = values.reshape(-1)
    v_loss_unclipped = (values - returns) ** 2
    if clip_vloss:
        v_clipped = old_values + torch.clamp(values - old_values, -clip_coef, clip_coef)
        v_loss = 0.5 * torch.max(v_loss_unclipped, (v_clipped - returns) ** 2).mean()
    else:
        v_loss = 0.5 * v_loss_unclipped.mean()

    loss = pg_loss - ent_coef * entropy.mean() + v_loss * vf_coef
    return loss, {"pg": pg_loss.item(), "v": v_loss.item(), "kl": approx_kl.item(), "clipfrac": clipfrac.item()}
