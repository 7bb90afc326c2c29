import torch
import torch.nn as nn


class GRPOClipLoss(nn.Module):
    """Token level GRPO loss with asymmetric clipping and a KL penalty.

    Args:
        num_generations: completions per prompt, adjacent in the batch.
        epsilon_low, epsilon_high: clipping range of the importance ratio.
        beta: weight of the KL (k3 estimator) to the reference model.
        scale_rewards: divide the advantages by the group's std.
        loss_type: 'grpo' averages per sequence first, 'bnpo' over all
            the tokens of the batch.
    """

    def __init__(self, num_generations, epsilon_low=0.2, epsilon_high=0.28, beta=0.0,
                 scale_rewards=True, loss_type="grpo"):
        super().__init__()
        if loss_type not in ("grpo", "bnpo"):
            raise ValueError(loss_type)
        if num_generations < 2:
            raise ValueError("a group needs at least two generations")
        self.num_generations = num_generations
        self.epsilon_low = epsilon_low
        self.epsilon_high = epsilon_high
        self.beta = beta
        self.scale_rewards = scale_rewards
        self.loss_type = loss_type

    def compute_advantages(self, rewards):
        grouped = rewards.view(-1, self.num_generations)
        adv = grouped - grouped.mean(dim=1, keepdim=True)
        if self.scale_rewards:
            # a group with equal rewards has the advantage 0
            adv = adv / (grouped.std(dim=1, keepdim=True) + 1e-4)
        return adv.view(-1)

    def forward(self, per_token_logps, old_per_token_logps, rewards,
                completion_mask, ref_per_token_logps=None):
        """
        *_per_token_logps: (B, T), rewards: (B,),
        completion_mask: (B, T) 1 up to and including EOS
        """
        advantages = self.compute_advantages(rewards).detach().unsqueeze(1)
        mask = completion_mask.to(per_token_logps.dtype)

        # padded positions can hold anything
        log_ratio = torch.where(
            mask > 0, per_token_logps - old_per_token_logps.detach(),
            torch.zeros_like(per_token_logps))
        coef_1 = torch.exp(log_ratio)
        coef_2 = torch.clamp(coef_1, 1 - self.epsilon_low, 1 + self.epsilon_high)
        per_token_loss = -torch.min(coef_1 * advantages, coef_2 * advantages)

        if self.beta != 0.0:
            delta = torch.where(
                mask > 0, ref_per_token_logps.detach() - per_token_logps,
                torch.zeros_like(per_token_logps))
            per_token_kl = torch.exp(delta) - delta - 1
            per_token_loss = per_token_loss + self.beta * per_token_kl

        if self.loss_type == "grpo":
            lengths = mask.sum(dim=1).clamp(min=1.0)
            return ((per_token_loss * mask).sum(dim=1) / lengths).mean()
        return (per_token_loss * mask).sum() / mask.sum().clamp(min=1.0)
