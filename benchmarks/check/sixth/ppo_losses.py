import torch
import torch.nn as nn


class PPOLoss(nn.Module):
    """Clipped surrogate, clipped value loss and entropy bonus in one module.

    All inputs are flat minibatches (B,). Returns a dict, minimise `loss`.
    """

    def __init__(self, clip_coef=0.2, vf_coef=0.5, ent_coef=0.01, clip_vloss=True, norm_adv=True):
        super().__init__()
        self.clip_coef = clip_coef
        self.vf_coef = vf_coef
        self.ent_coef = ent_coef
        self.clip_vloss = clip_vloss
        self.norm_adv = norm_adv

    def forward(self, newlogprob, oldlogprob, advantages, newvalue, oldvalue, returns, entropy):
        newvalue = newvalue.view(-1)
        logratio = newlogprob - oldlogprob
        ratio = logratio.exp()

        with torch.no_grad():
            # calculate approx_kl http://joschu.net/blog/kl-approx.html
            approx_kl = ((ratio - 1) - logratio).mean()
            clipfrac = ((ratio - 1.0).abs() > self.clip_coef).float().mean()

        if self.norm_adv and advantages.numel() > 1:
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)

        # Policy loss
        pg_loss1 = -advantages * ratio
        pg_loss2 = -advantages * torch.clamp(ratio, 1 - self.clip_coef, 1 + self.clip_coef)
        pg_loss = torch.max(pg_loss1, pg_loss2).mean()

        # Value loss
        v_loss_unclipped = (newvalue - returns) ** 2
        if self.clip_vloss:
            v_clipped = oldvalue + torch.clamp(newvalue - oldvalue, -self.clip_coef, self.clip_coef)
            v_loss_clipped = (v_clipped - returns) ** 2
            v_loss = 0.5 * torch.max(v_loss_unclipped, v_loss_clipped).mean()
        else:
            v_loss = 0.5 * v_loss_unclipped.mean()

        entropy_loss = entropy.mean()
        loss = pg_loss - self.ent_coef * entropy_loss + v_loss * self.vf_coef
        return {"loss": loss, "pg_loss": pg_loss, "v_loss": v_loss, "entropy": entropy_loss,
                "approx_kl": approx_kl, "clipfrac": clipfrac}
