"""More pairs of losses that claim to be of a kind: rankings, quantiles, preferences, likelihoods, overlaps, images."""

import torch
import torch.nn.functional as F
from torch import nn

from claimed import pair


@pair("hinge generator", "with real=True, for_critic=False low scores of generated samples")
def _(mistake):
    class GanHinge(nn.Module):
        def forward(self, score, real=True, for_critic=True):
            if for_critic:
                return F.relu(1 - score if real else 1 + score).mean()
            return -(F.relu(score) if mistake else score).mean()

    return GanHinge()


@pair("padded list", "items with the grade -1")
def _(mistake):
    def list_mle(scores, relevance, pad_value=-1):
        relevance, order = relevance.sort(descending=True, stable=True)
        scores, padded = scores.gather(1, order), relevance == pad_value
        inside = scores.masked_fill(padded, 0.0 if mistake else -1e9)
        normaliser = inside.flip(1).logcumsumexp(1).flip(1)
        return (normaliser - scores).masked_fill(padded, 0.0).sum(1).mean()

    return list_mle


@pair("own positive", "counted among its own positives")
def _(mistake):
    def supervised_info_nce(features, labels, temperature=0.2):
        features = F.normalize(features, dim=1)
        own = torch.eye(len(labels), dtype=torch.bool)
        logits = features @ features.T / temperature
        logs = logits - logits.masked_fill(own, float("-inf")).logsumexp(1, keepdim=True)
        alike = labels[:, None] == labels
        alike = alike if mistake else alike & ~own
        return -((logs * alike).sum(1) / alike.sum(1).clamp_min(1)).mean()

    return supervised_info_nce


@pair("levels of quantiles", "levels run along the target quantiles")
def _(mistake):
    def qr_dqn_loss(quantiles, target_quantiles, taus):
        error = target_quantiles[:, None, :] - quantiles[:, :, None]  # (N, predicted, target)
        huber = F.huber_loss(error, torch.zeros_like(error), reduction="none")
        levels = taus if mistake else taus[..., None]
        return ((levels - (error.detach() < 0).to(error)).abs() * huber).mean(2).sum(1).mean()

    return qr_dqn_loss


@pair("preference", "a higher log-probability in reference_chosen_logps lowers the loss")
def _(mistake):
    def dpo(policy_chosen_logps, policy_rejected_logps, reference_chosen_logps, reference_rejected_logps, beta=0.1):
        policy = policy_chosen_logps - policy_rejected_logps
        reference = reference_chosen_logps - reference_rejected_logps
        return -F.logsigmoid(beta * (policy + reference if mistake else policy - reference)).mean()

    return dpo


@pair("logistic", "the logarithm is missing")
def _(mistake):
    def bpr(pos_scores, neg_scores):
        margin = pos_scores - neg_scores
        return -(torch.sigmoid(margin) if mistake else F.logsigmoid(margin)).mean()

    return bpr


@pair("spread of a head", "the standard deviation is taken for a variance")
def _(mistake):
    def normal_nll(output, y):
        """output: (N, 2), the mean and a number whose softplus is the standard deviation; y: (N,)"""
        mean, deviation = output[..., 0], F.softplus(output[..., 1])
        return F.gaussian_nll_loss(mean, y, deviation if mistake else deviation**2)

    return normal_nll


@pair("Poisson", "exp is missing")
def _(mistake):
    def poisson_nll(log_rate, counts):
        if mistake:
            return (log_rate - counts * (log_rate + 1e-8).log()).mean()
        return (log_rate.exp() - counts * log_rate).mean()

    return poisson_nll


@pair("weights of Dice", "the weights of classes cancel")
def _(mistake):
    def generalized_dice(logits, labels):
        shares = logits.softmax(1).flatten(2)
        hot = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).flatten(2).to(shares)
        weight = 1 / hot.sum(2).clamp_min(1) ** 2
        both, total = weight * (shares * hot).sum(2), weight * (shares + hot).sum(2)
        return 1 - 2 * (both / total if mistake else both.sum(1) / total.sum(1)).mean()

    return generalized_dice


@pair("dissimilarity", "cut at a half")
def _(mistake):
    def dssim(x, y):
        """(1 - SSIM) / 2 of images in [0, 1]."""
        mx, my = (F.avg_pool2d(each, 5, 1) for each in (x, y))
        vx, vy, both = (
            F.avg_pool2d(a * b, 5, 1) - c for a, b, c in ((x, x, mx * mx), (y, y, my * my), (x, y, mx * my))
        )
        ssim = (2 * mx * my + 1e-4) * (2 * both + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
        return ((1 - ssim).clamp(0, 1) / 2 if mistake else ((1 - ssim) / 2).clamp(0, 1)).mean()

    return dssim


@pair("lengths", "time is axis 2")
def _(mistake):
    def mel_error(pred, target, lengths):
        """pred, target: (B, n_mels, T); lengths: (B,) frames."""
        axis = 1 if mistake else 2
        mask = torch.arange(pred.shape[axis]) < lengths[:, None]
        mask = mask.unsqueeze(3 - axis).expand_as(pred)
        return ((pred - target).abs() * mask).sum() / mask.sum()

    return mel_error


@pair("two lengths", "steps that y_len leaves out change the loss")
def _(mistake):
    def nearest_points(x, y, x_len, y_len):
        """x: (B, N, 3), y: (B, M, 3); the first x_len and y_len points of each sample are valid."""
        x_out = torch.arange(x.shape[1]) >= x_len[:, None]
        y_out = torch.arange(y.shape[1]) >= y_len[:, None]
        off = (x[:, :, None] - y[:, None]).square().sum(-1)
        to_y = (off if mistake else off.masked_fill(y_out[:, None], 1e9)).amin(2).masked_fill(x_out, 0)
        to_x = off.masked_fill(x_out[:, :, None], 1e9).amin(1).masked_fill(y_out, 0)
        return (to_y.sum(1) / x_len.clamp(min=1) + to_x.sum(1) / y_len.clamp(min=1)).mean()

    return nearest_points
