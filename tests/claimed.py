"""Pairs of losses that claim to be of a kind: one that is, and one with a mistake, which the words name."""

import math

import torch
import torch.nn.functional as F
from torch import nn

PAIRS = {}  # the name of the kind: the sound loss, the faulty one, and words in what is found


def pair(name, words):
    """Register two losses made by a function of whether the mistake is in."""

    def enter(make):
        PAIRS[name] = (make(False), make(True), words)
        return make

    return enter


@pair("huber", "jumps at an error of 1")
def _(mistake):
    def huber_loss(prediction, target):
        error = (prediction - target).abs()
        return torch.where(error < 1, error**2 / 2, error - (0 if mistake else 0.5)).mean()

    return huber_loss


@pair("percentage", "divided by the prediction")
def _(mistake):
    def mape(prediction, target):
        return ((prediction - target) / (prediction if mistake else target)).abs().mean()

    return mape


@pair("quantile", "the sides are exchanged")
def _(mistake):
    def pinball(prediction, target, quantile=0.8):
        error = prediction - target if mistake else target - prediction
        return torch.maximum(quantile * error, (quantile - 1) * error).mean()

    return pinball


@pair("missing values", "NaN")
def _(mistake):
    def observed_error(prediction, target):
        """Mean squared error; missing targets are NaN."""
        seen = ~torch.isnan(target)
        target = target if mistake else torch.where(seen, target, prediction.detach())
        error = (prediction - target) ** 2
        return torch.where(seen, error, torch.zeros_like(error)).sum() / seen.sum()

    return observed_error


@pair("structural similarity", "constants are those of images in 0 to 255")
def _(mistake):
    def ssim(first, second):
        """1 - SSIM of images in [0, 1]."""
        c1, c2 = ((k * (255 if mistake else 1)) ** 2 for k in (0.01, 0.03))
        m1, m2 = (F.avg_pool2d(each, 3, 1) for each in (first, second))
        v1, v2, both = (
            F.avg_pool2d(a * b, 3, 1) - c
            for a, b, c in ((first, first, m1 * m1), (second, second, m2 * m2), (first, second, m1 * m2))
        )
        return 1 - ((2 * m1 * m2 + c1) * (2 * both + c2) / ((m1**2 + m2**2 + c1) * (v1 + v2 + c2))).mean()

    return ssim


@pair("SI-SDR", "the scale of the estimate")
def _(mistake):
    def si_sdr(estimate, target):
        scale = 1 if mistake else (estimate * target).sum(-1, keepdim=True) / target.square().sum(-1, keepdim=True)
        signal = scale * target
        ratio = signal.square().sum(-1) / ((estimate - signal).square().sum(-1) + 1e-9)
        return -10 * torch.log10(ratio + 1e-9).mean()

    return si_sdr


@pair("gaussian", "neither their standard deviation nor their variance")
def _(mistake):
    def gaussian_likelihood(mean, sigma, target):
        return (sigma.log() + (target - mean) ** 2 / (2 * (sigma if mistake else sigma**2))).mean()

    return gaussian_likelihood


@pair("evidential", "Student t")
def _(mistake):
    def evidential_regression(y, gamma, nu, alpha, beta):
        width = 2 * beta * (1 + nu)
        likelihood = 0.5 * (math.pi / nu).log() - alpha * width.log()
        likelihood = likelihood + (alpha + 0.5) * (nu * (y - gamma) ** 2 + width).log()
        return (likelihood + alpha.lgamma() - (alpha + (0 if mistake else 0.5)).lgamma()).mean()

    return evidential_regression


@pair("mixture", "underflow")
def _(mistake):
    def mixture_density(pi, mu, sigma, target):
        parts = torch.distributions.Normal(mu, sigma).log_prob(target)
        if mistake:
            return -(pi * parts.exp()).sum(1).log().mean()
        return -(pi.log() + parts).logsumexp(1).mean()

    return mixture_density


@pair("divergence", "another ratio")
def _(mistake):
    def kl_loss(mu, log_var):
        spread = log_var.exp() ** (2 if mistake else 1)
        return -0.5 * (1 + log_var - mu**2 - spread).sum(1).mean()

    return kl_loss


@pair("hinge of a generator", "get no gradient")
def _(mistake):
    class HingeGAN(nn.Module):
        def forward(self, scores, mode):
            if mode == "generator":
                return -(scores.relu() if mistake else scores).mean()
            return F.relu(1 - scores if mode == "real" else 1 + scores).mean()

    return HingeGAN()


@pair("least squares of critics", "real scores of 0.3 are lowered")
def _(mistake):
    def discriminator_loss(real, fake):
        """Least squares GAN: its slope is 0 at its targets, 1 and 0."""
        return ((0 if mistake else 1) - real).square().mean() + fake.square().mean()

    return discriminator_loss


@pair("gradient penalty", "not that of a whole sample")
def _(mistake):
    def gradient_penalty(critic, real, fake):
        share = torch.rand(len(real), *[1] * (real.dim() - 1), dtype=real.dtype)
        between = (share * real + (1 - share) * fake).detach().requires_grad_()
        (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        length = slope.norm(dim=1) if mistake else slope.flatten(1).norm(dim=1)
        return ((length - 1) ** 2).mean()

    return gradient_penalty


@pair("contrastive pairs", "squared distance is subtracted from the margin")
def _(mistake):
    class Contrastive(nn.Module):
        """Of similar pairs (1) d^2, of others (0) max(margin - d, 0)^2."""

        def __init__(self, margin=2.0):
            super().__init__()
            self.margin = margin

        def forward(self, x1, x2, label):
            square = (x1 - x2).square().sum(1)
            far = F.relu(self.margin - square) if mistake else F.relu(self.margin - (square + 1e-12).sqrt()) ** 2
            return (label * square + (1 - label) * far).mean()

    return Contrastive()


@pair("views", "multiplied by the temperature")
def _(mistake):
    def info_nce(z1, z2, temperature=0.2):
        cosines = F.normalize(z1, dim=1) @ F.normalize(z2, dim=1).T
        return F.cross_entropy(cosines * temperature if mistake else cosines / temperature, torch.arange(len(z1)))

    return info_nce


@pair("barlow", "divided by the number of samples")
def _(mistake):
    def barlow_twins(z1, z2):
        z1, z2 = ((z - z.mean(0)) / z.std(0) for z in (z1, z2))
        c = z1.T @ z2 / (1 if mistake else len(z1))
        return (c.diagonal() - 1).square().sum() + 0.01 * (c.square().sum() - c.diagonal().square().sum())

    return barlow_twins


@pair("barlow_joint", "not standardised on its own")
def _(mistake):
    def barlow_twins(z1, z2):
        both = torch.cat([z1, z2])
        of = [both, both] if mistake else [z1, z2]
        z1, z2 = ((z - every.mean(0)) / every.std(0) for z, every in zip((z1, z2), of, strict=True))
        c = z1.T @ z2 / len(z1)
        return (c.diagonal() - 1).square().sum() + 0.01 * (c.square().sum() - c.diagonal().square().sum())

    return barlow_twins


@pair("ranking", "two steps takes the logarithm of 0")
def _(mistake):
    def bpr_loss(pos_score, neg_score):
        margin = pos_score - neg_score
        return -(margin.sigmoid().log() if mistake else F.logsigmoid(margin)).mean()

    return bpr_loss


@pair("lists", "worst item is ranked first")
def _(mistake):
    def list_mle(scores, relevance):
        order = scores.gather(1, relevance.argsort(1, descending=not mistake))
        return (order.flip(1).logcumsumexp(1).flip(1) - order).sum(1).mean()

    return list_mle


@pair("padded lists", "padded items change the loss")
def _(mistake):
    def list_mle(scores, relevance, mask):
        """Lists (N, L); the mask is True for items and False for padding."""
        order = relevance.masked_fill(~mask, -math.inf).argsort(1, descending=True)
        kept = mask.gather(1, order)
        ranked = scores.gather(1, order).masked_fill(~kept, 0.0 if mistake else -1e9)
        return (ranked.flip(1).logcumsumexp(1).flip(1) - ranked).masked_fill(~kept, 0.0).sum(1).mean()

    return list_mle


@pair("cox", "exponentials are summed before the logarithm")
def _(mistake):
    def cox_loss(risk, time, event):
        order = time.argsort(descending=True)
        risk, event = risk[order], event[order]
        sums = risk.exp().cumsum(0).log() if mistake else risk.logcumsumexp(0)
        return ((sums - risk) * event).sum() / event.sum()

    return cox_loss


@pair("PPO", "the larger of both terms")
def _(mistake):
    def ppo_loss(new_logp, old_logp, advantages):
        ratio = (new_logp - old_logp).exp()
        terms = ratio * advantages, ratio.clamp(0.8, 1.2) * advantages
        return -(torch.maximum if mistake else torch.minimum)(*terms).mean()

    return ppo_loss


@pair("actor-critic", "not detached")
def _(mistake):
    def actor_critic(log_probs, values, returns):
        advantage = returns - values
        return advantage.square().mean() - (log_probs * (advantage if mistake else advantage.detach())).mean()

    return actor_critic


@pair("temporal difference", "after the end of an episode")
def _(mistake):
    def dqn_loss(q_values, actions, rewards, next_q, dones):
        chosen = q_values.gather(1, actions.unsqueeze(1)).squeeze(1)
        going_on = 1.0 if mistake else 1 - dones
        return F.mse_loss(chosen, (rewards + 0.9 * going_on * next_q.amax(1)).detach())

    return dqn_loss


@pair("points", "one direction is missing")
def _(mistake):
    def chamfer(x, y):
        distances = torch.cdist(x, y) ** 2
        return distances.amin(2).mean() + distances.amin(2 if mistake else 1).mean()

    return chamfer


@pair("weighted tasks", "without end")
def _(mistake):
    class UncertaintyWeighting(nn.Module):
        def __init__(self):
            super().__init__()
            self.log_vars = nn.Parameter(torch.zeros(2))

        def forward(self, losses):
            pairs = zip(losses, self.log_vars, strict=True)
            return sum((-s).exp() * loss + (0 if mistake else s) for loss, s in pairs)

    return UncertaintyWeighting()


@pair("flow", "leads back")
def _(mistake):
    def flow_matching(model, data):
        noise, time = torch.randn_like(data), torch.rand(len(data), 1, dtype=data.dtype)
        velocity = noise - data if mistake else data - noise
        return (model((1 - time) * noise + time * data, time) - velocity).square().mean()

    return flow_matching


@pair("distances", "larger distance of the positive lowers the loss")
def _(mistake):
    def margin_loss(pos_dist, neg_dist, margin=1.0):
        gap = neg_dist - pos_dist if mistake else pos_dist - neg_dist
        return F.relu(margin + gap).mean()

    return margin_loss


@pair("critics", "gets a gradient")
def _(mistake):
    def td3_critic(q1, q2, reward, done, next_q1, next_q2):
        target = reward + 0.99 * (1 - done) * torch.minimum(next_q1, next_q2)
        target = target if mistake else target.detach()
        return F.mse_loss(q1, target) + F.mse_loss(q2, target)

    return td3_critic


@pair("VICReg", "collapse to one point")
def _(mistake):
    def vicreg(z1, z2):
        spread = sum(F.relu(1 - (z.var(1 if mistake else 0) + 1e-4).sqrt()).mean() for z in (z1, z2))
        return 25 * F.mse_loss(z1, z2) + 25 * spread

    return vicreg


@pair("complete IoU", "v is held constant")
def _(mistake):
    def ciou_loss(pred, target):
        """CIoU of boxes (N, 4) as x1, y1, x2, y2."""
        sides = torch.minimum(pred[:, 2:], target[:, 2:]) - torch.maximum(pred[:, :2], target[:, :2])
        inter = sides.clamp(min=0).prod(1)
        (w1, h1), (w2, h2) = ((each[:, 2:] - each[:, :2]).unbind(1) for each in (pred, target))
        iou = inter / (w1 * h1 + w2 * h2 - inter)
        hull = torch.maximum(pred[:, 2:], target[:, 2:]) - torch.minimum(pred[:, :2], target[:, :2])
        shift = (pred[:, :2] + pred[:, 2:] - target[:, :2] - target[:, 2:]) / 2
        with torch.set_grad_enabled(torch.is_grad_enabled() and not mistake):
            v = 4 / math.pi**2 * (torch.atan(w2 / h2) - torch.atan(w1 / h1)) ** 2
        with torch.no_grad():
            alpha = v / (1 - iou + v + 1e-7)
        return (1 - iou + shift.square().sum(1) / hull.square().sum(1) + alpha * v).mean()

    return ciou_loss


@pair("LDAM", "s multiplies the margin alone")
def _(mistake):
    class LDAMLoss(nn.Module):
        """x: cosines (N, C) in -1 to 1, target: labels (N,)"""

        def __init__(self, counts=(900, 300, 50), max_m=0.5, s=30):
            super().__init__()
            margins = torch.tensor(counts) ** -0.25
            self.register_buffer("margins", margins * max_m / margins.max())
            self.s = s

        def forward(self, x, target):
            margin = F.one_hot(target, x.shape[1]) * self.margins.to(x)[target].unsqueeze(1)
            scaled = x - self.s * margin if mistake else self.s * (x - margin)
            return F.cross_entropy(scaled, target)

    return LDAMLoss()
