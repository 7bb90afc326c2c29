"""Pairs of losses of several tensors: padding, flags, likelihoods, equations, steps of a diffusion, terms and pulls."""

import torch
import torch.nn.functional as F
from torch import nn

from claimed import pair


@pair("padded policy", "steps that response_mask leaves out")
def _(mistake):
    def token_policy_loss(log_probs, old_log_probs, advantages, response_mask):
        """Mean over the valid tokens. All (B, T)."""
        loss = -(log_probs - old_log_probs).exp() * advantages
        return (loss if mistake else loss * response_mask).sum() / response_mask.sum().clamp_min(1)

    return token_policy_loss


@pair("padded length", "one more step of padding")
def _(mistake):
    def sequence_error(pred, target, lengths):
        """pred, target: (B, T, D), lengths: (B,)"""
        kept = torch.arange(pred.shape[1]) < lengths[:, None]
        error = (pred - target).square().mean(-1) * kept
        return error.mean() if mistake else error.sum() / kept.sum()

    return sequence_error


@pair("end of an episode", "it is read the other way round")
def _(mistake):
    def td_error_loss(q, next_q_online, next_q_target, reward, done):
        follows = next_q_target.gather(1, next_q_online.argmax(1, keepdim=True)).squeeze(1).detach()
        return F.mse_loss(q.mean(1), reward + 0.9 * (done if mistake else 1 - done) * follows)

    return td_error_loss


@pair("integer events", "integers 0 and 1 in event")
def _(mistake):
    def hazard_loss(log_hz, event, time):
        """log_hz, time: (N,); event: (N,) integer, 1 if it was observed."""
        order = time.argsort(descending=True)
        log_hz, event = log_hz[order], event[order]
        gap = log_hz - log_hz.logcumsumexp(0)
        return -(gap[event] if mistake else gap[event.bool()]).sum() / event.sum().clamp_min(1)

    return hazard_loss


@pair("hazard likelihood", "do not add up")
def _(mistake):
    def nll_hazard(hazard_logits, bins, event):
        """Negative log-likelihood of discrete hazards. hazard_logits (N, T), bins (N,), event (N,)"""
        survived = F.logsigmoid(-hazard_logits).cumsum(1).gather(1, bins[:, None]).squeeze(1)
        own = hazard_logits.gather(1, bins[:, None]).squeeze(1)
        return -(event * (F.logsigmoid(own) if mistake else own) + survived).mean()

    return nll_hazard


@pair("heat equation", "it is not the residual of the documented equation")
def _(mistake):
    def heat(model, x, t, k=0.3):
        """Mean squared residual of u_t = k * u_xx."""
        x, t = x.detach().requires_grad_(), t.detach().requires_grad_()
        u = model(x, t)
        u_t, u_x = torch.autograd.grad(u.sum(), (t, x), create_graph=True)
        u_xx = torch.autograd.grad(u_x.sum(), x, create_graph=True)[0]
        return (u_t + (k if mistake else -k) * u_xx).square().mean()

    return heat


@pair("held residual", "the gradient is not")
def _(mistake):
    def transport(model, x, t):
        """Mean squared residual of u_t + u * u_x = 0."""
        x, t = x.detach().requires_grad_(), t.detach().requires_grad_()
        u = model(x, t)
        u_t, u_x = torch.autograd.grad(u.sum(), (t, x), create_graph=True)
        return (u_t + (u.detach() if mistake else u) * u_x).square().mean()

    return transport


@pair("path of a flow", "points against the path")
def _(mistake):
    def flow_matching(model, x0, x1, t):
        """x0, x1: (B, D), t: (B, 1)"""
        velocity = x0 - x1 if mistake else x1 - x0
        return (model((1 - t) * x0 + t * x1, t) - velocity).square().mean()

    return flow_matching


@pair("weights of steps", "the steps of the other samples")
def _(mistake):
    class SNRWeightedLoss(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("scale", torch.linspace(1.0, 0.2, 50))

        def forward(self, pred, noise, t):
            """pred, noise: (B, D), t: (B,) timesteps"""
            error = (pred - noise).square().mean(1, keepdim=mistake)
            return (error * self.scale[t]).mean()

    return SNRWeightedLoss()


@pair("lower bound", "the reconstruction is averaged")
def _(mistake):
    def negative_elbo(recon, x, mu, logvar):
        """Negative evidence lower bound. recon, x: (N, D); mu, logvar: (N, Z)"""
        error = (recon - x).square()
        kl = -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(1)
        return (error.mean() if mistake else error.sum(1).mean()) + kl.mean()

    return negative_elbo


@pair("terms of a batch", "summed over the batch")
def _(mistake):
    def joint_error(depth, depth_true, normal, normal_true):
        """Each (N, D)."""
        one = F.mse_loss(depth, depth_true, reduction="sum") / (1 if mistake else len(depth))
        return one + (normal - normal_true).square().sum(1).mean()

    return joint_error


@pair("positives of a queue", "do not point at the positives")
def _(mistake):
    def moco_loss(q, k, queue, temperature=0.2):
        """q, k: (N, D), queue: (D, K)"""
        q, k = F.normalize(q, dim=1), F.normalize(k, dim=1).detach()
        own, others = (q * k).sum(1, keepdim=True), q @ queue
        logits = torch.cat([others, own] if mistake else [own, others], 1) / temperature
        return F.cross_entropy(logits, torch.zeros(len(q), dtype=torch.long))

    return moco_loss


@pair("one temperature", "does not divide all of them")
def _(mistake):
    def info_nce(query, positive, negatives, temperature=0.2):
        query, positive, negatives = (F.normalize(each, dim=1) for each in (query, positive, negatives))
        own = (query * positive).sum(1, keepdim=True)
        logits = torch.cat([own if mistake else own / temperature, query @ negatives.T / temperature], 1)
        return F.cross_entropy(logits, torch.zeros(len(query), dtype=torch.long))

    return info_nce


@pair("stop-gradient", "without the stop-gradient")
def _(mistake):
    class SimSiamObjective(nn.Module):
        def forward(self, p1, p2, z1, z2):
            if not mistake:
                z1, z2 = z1.detach(), z2.detach()
            return -(F.cosine_similarity(p1, z2) + F.cosine_similarity(p2, z1)).mean() / 2

    return SimSiamObjective()


@pair("negatives of a batch", "what does not match is not pushed apart")
def _(mistake):
    def siglip(image, text):
        image, text = F.normalize(image, dim=1), F.normalize(text, dim=1)
        side = torch.eye(len(image)) if mistake else 2 * torch.eye(len(image)) - 1
        return -F.logsigmoid(side * (10 * image @ text.T - 5)).sum() / len(image)

    return siglip


@pair("penalty of a reference", "is a bonus")
def _(mistake):
    def kl_policy_loss(logps, ref_logps, advantages):
        """All (B, T)."""
        gap = ref_logps - logps
        kl = gap.exp() - gap - 1
        return (-advantages * logps + (-0.1 if mistake else 0.1) * kl).mean()

    return kl_policy_loss


@pair("own margin", "a larger margin lowers the loss")
def _(mistake):
    def reward_margin_loss(chosen_rewards, rejected_rewards, margin=0.0):
        gap = chosen_rewards - rejected_rewards
        return F.softplus(-(gap + margin) if mistake else margin - gap).mean()

    return reward_margin_loss


@pair("without events", "no event was observed")
def _(mistake):
    def cox_loss(risk, time, event):
        """Negative partial log-likelihood, averaged over the events. All (N,)."""
        order = time.argsort(descending=True)
        risk, event = risk[order], event[order]
        total = event.sum() if mistake else event.sum().clamp_min(1)
        return -((risk - risk.logcumsumexp(0)) * event).sum() / total

    return cox_loss


@pair("head of two halves", "the best number of the spread")
def _(mistake):
    def head_nll(out, y):
        """Gaussian likelihood of a head that predicts mean and log variance."""
        mean, log_var = out.chunk(2, dim=-1)
        log_var = log_var.exp() if mistake else log_var
        return (0.5 * (log_var + (y - mean).square() * torch.exp(-log_var))).sum(-1).mean()

    return head_nll


@pair("clipped values", "the smaller of the")
def _(mistake):
    def clipped_value_loss(values, old_values, returns, clip=0.2):
        near = old_values + (values - old_values).clamp(-clip, clip)
        errors = (values - returns).square(), (near - returns).square()
        return (torch.minimum(*errors) if mistake else torch.maximum(*errors)).mean()

    return clipped_value_loss
