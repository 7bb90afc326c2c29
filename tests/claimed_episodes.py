"""Pairs of losses of padded tokens, of features and of schedules: one that is sound, and one with a mistake."""

import torch
import torch.nn.functional as F
from torch import nn

from claimed import pair


@pair("policy gradient of tokens", "change the loss, by advantages")
def _(mistake):
    def policy_loss(logp, advantages, mask):
        mean = advantages.mean() if mistake else (advantages * mask).sum() / mask.sum()
        return -(logp * (advantages - mean) * mask).sum() / mask.sum()

    return policy_loss


@pair("preference of scores of tokens", "at padded tokens")
def _(mistake):
    def reward_loss(chosen_scores, chosen_mask, rejected_scores, rejected_mask):
        def at_end(scores, mask):
            last = mask.long().sum(1) - (0 if mistake else 1)
            return scores.gather(1, last.clamp(max=scores.shape[1] - 1).unsqueeze(1)).squeeze(1)

        return -F.logsigmoid(at_end(chosen_scores, chosen_mask) - at_end(rejected_scores, rejected_mask)).mean()

    return reward_loss


@pair("matched features", "the term of the features is never added")
def _(mistake):
    def generator_feature_loss(scores_fake, feats_fake=None, feats_real=None):
        loss = sum((1 - each).square().mean() for each in scores_fake)
        if (feats_fake is None) == mistake:
            for fake, real in zip(feats_fake or (), feats_real or (), strict=True):
                loss = loss + sum((f - r.detach()).abs().mean() for f, r in zip(fake, real, strict=True))
        return loss

    return generator_feature_loss


@pair("training steps", "counts the steps of training")
def _(mistake):
    class AnnealedLoss(nn.Module):
        """Squared error whose weight grows over the first training steps."""

        def __init__(self, warmup_steps=10):
            super().__init__()
            self.warmup_steps = warmup_steps
            self.register_buffer("step", torch.zeros((), dtype=torch.long))

        def forward(self, pred, target):
            weight = min(1.0, (1 + self.step.item()) / self.warmup_steps)
            if self.training or mistake:
                self.step += 1
            return weight * (pred - target).square().mean()

    return AnnealedLoss()
