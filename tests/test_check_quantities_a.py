"""Quantities of policies, densities, diffusion, language, ranking, survival, sound and forecasts, sound and faulty."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from losskit.checker.quantities import promised

HEAD = "import math\nimport torch\nimport torch.nn.functional as F\n\n\n"
KINDS = {
    "1": lambda: torch.randn(5),
    "2": lambda: torch.randn(5, 3),
    "3": lambda: torch.randn(5, 4, 6),
    "flag": lambda: torch.randint(2, (5,)).float(),
    "pos": lambda: torch.rand(5) + 0.2,
    "pos2": lambda: torch.rand(5, 3) + 0.2,
    "count2": lambda: torch.randint(6, (5, 3)).float(),
    "prob2": lambda: torch.randn(5, 3).softmax(1),
    "unit": lambda: torch.rand(5) * 0.8 + 0.1,
    "unit2": lambda: torch.rand(5, 3) * 0.8 + 0.1,
    "small10": lambda: torch.rand(10) * 0.2 + 0.01,
    "falling10": lambda: (1 - torch.rand(10) * 0.2).cumprod(0),
    "step": lambda: torch.randint(10, (5,)),
    "class": lambda: torch.randint(4, (5,)),
    "class2": lambda: torch.randint(4, (5, 6)),
    "ignored2": lambda: torch.where(torch.rand(5, 6) < 0.3, torch.tensor(-100), torch.randint(4, (5, 6))),
    "length": lambda: torch.tensor([2, 4, 1, 3, 2])[torch.randperm(5)],
    "code": lambda: torch.randn(7, 3),
    "line": lambda: torch.randn(5, 12),
}

# what it takes; a sound line or several; faulty ones, of which each replaces the last line
TABLE: dict[str, tuple[str, str, list[str]]] = {
    "td_error": (
        "r d:flag next_q q gamma=0.9",
        "target = r + gamma * next_q * (1 - d)\n td_error = q - target",
        ["td_error = q + target", "td_error = (q - r) - gamma * (1 + d) * next_q"],
    ),
    "soft_target": (
        "reward done:flag target_q1 target_q2 next_log_pi alpha=0.2 gamma=0.9",
        "backup = reward + gamma * (1 - done) * (torch.minimum(target_q1, target_q2) - alpha * next_log_pi)",
        [
            "backup = reward + gamma * (1 - done) * (torch.maximum(target_q1, target_q2) - alpha * next_log_pi)",
            "backup = reward + gamma * (1 - done) * (torch.minimum(target_q1, target_q2) + alpha * next_log_pi)",
            "backup = reward + gamma * done * (torch.minimum(target_q1, target_q2) - alpha * next_log_pi)",
        ],
    ),
    "n_step": (
        "rewards dones:flag next_q gamma=0.9 n_step=3",
        "target = rewards + gamma * gamma * gamma ** (n_step - 2) * next_q * (1 - dones)",
        ["target = rewards + n_step * gamma * next_q * (1 - dones)"],
    ),
    "discount": (
        "dones:flag gamma=0.9",
        "discounts = gamma - gamma * dones",
        ["discounts = gamma * dones", "discounts = 1 - gamma * dones"],
    ),
    "min_q": (
        "q1_pi q2_pi",
        "min_q = torch.stack([q1_pi, q2_pi]).min(0).values",
        ["min_q = torch.max(q1_pi, q2_pi)"],
    ),
    "soft_value": (
        "log_pi q alpha=0.2",
        "v_target = q - log_pi * alpha",
        ["v_target = q + alpha * log_pi", "v_target = q - log_pi / alpha"],
    ),
    "advantage": (
        "returns values",
        "adv = -(values - returns)\n adv = (adv - adv.mean()) / (adv.std() + 1e-8)",
        ["adv = returns + values", "adv = (adv - adv.mean()) * adv.std()", "adv = (adv + adv.mean()) / adv.std()"],
    ),
    "norm_adv": (
        "advantages eps=1e-8",
        "norm_adv = (advantages - advantages.mean()) / (advantages.std(unbiased=False) + eps)",
        ["norm_adv = (advantages - advantages.mean()) / (advantages.var() + eps)"],
    ),
    "group": (
        "rewards:2 eps=1e-8",
        "mean = rewards.mean(1, keepdim=True)\n std = rewards.std(1, keepdim=True)\n"
        " advantages = (rewards - mean) / (std + eps)",
        ["advantages = (rewards + mean) / (std + eps)", "advantages = (rewards - mean) * (std + eps)"],
    ),
    "returns": ("advantages values", "returns = values + advantages", ["returns = advantages - values"]),
    "awr": (
        "adv beta=3.0",
        "weights = math.e ** (adv * beta)",
        ["weights = torch.exp(-adv * beta)", "weights = 1 + adv * beta"],
    ),
    "duel": (
        "value advantage:2",
        "q = value[:, None] + (advantage - advantage.mean(1, keepdim=True))",
        [
            "q = value[:, None] + (advantage - advantage.mean())",
            "q = value[:, None] + advantage + advantage.mean(1, keepdim=True)",
        ],
    ),
    "priority": ("td_error eps=0.5", "priorities = td_error.abs() + eps", ["priorities = td_error + eps"]),
    "is_weight": (
        "probs:unit n=100 beta=0.4",
        "weights = (1 / (n * probs)) ** beta\n is_weights = weights / weights.max()",
        ["is_weights = (n * probs) ** beta"],
    ),
    "v_clipped": (
        "old_values values clip=0.2",
        "v_clipped = torch.max(torch.min(values, old_values + clip), old_values - clip)",
        ["v_clipped = values + (values - old_values).clamp(-clip, clip)"],
    ),
    "v_loss": (
        "v_loss_unclipped v_loss_clipped",
        "v_loss = 0.5 * torch.stack([v_loss_unclipped, v_loss_clipped]).amax(0).mean()",
        ["v_loss = 0.5 * torch.min(v_loss_unclipped, v_loss_clipped).mean()"],
    ),
    "log_ratio": ("logp old_logp", "log_ratio = logp - old_logp", ["log_ratio = old_logp - logp"]),
    "ratio": (
        "logp old_logp",
        "ratio = logp.exp() / old_logp.exp()",
        ["ratio = (old_logp - logp).exp()", "ratio = logp / old_logp", "ratio = logp - old_logp"],
    ),
    "clipped_ratio": (
        "ratio:wide clip=0.2",
        "clipped = ratio.clamp(min=1 - clip).clamp(max=1 + clip)",
        ["clipped = ratio.clamp(-clip, clip)", "clipped = ratio.clamp(min=1 - clip)"],
    ),
    "surr1": ("ratio:pos adv", "surr1 = adv * ratio", ["surr1 = adv + ratio"]),
    "surr2": (
        "ratio:pos adv clip_eps=0.2",
        "surr2 = adv * ratio.clamp(1 - clip_eps, 1 + clip_eps)",
        ["surr2 = (adv * ratio).clamp(1 - clip_eps, 1 + clip_eps)", "surr2 = ratio.clamp(-clip_eps, clip_eps) * adv"],
    ),
    "pg_loss2": (
        "ratio:pos advantages clip_coef=0.2",
        "pg_loss2 = -advantages * torch.clip(ratio, 1 - clip_coef, 1 + clip_coef)",
        ["pg_loss2 = advantages * torch.clip(ratio, 1 - clip_coef, 1 + clip_coef)"],
    ),
    "ppo": (
        "logp old_logp adv clip=0.2",
        "ratio = (logp - old_logp).exp()\n"
        " policy_loss = torch.max(-ratio * adv, -ratio.clamp(1 - clip, 1 + clip) * adv).mean()",
        [
            "policy_loss = -torch.max(ratio * adv, ratio.clamp(1 - clip, 1 + clip) * adv).mean()",
            "policy_loss = torch.min(ratio * adv, ratio.clamp(1 - clip, 1 + clip) * adv).mean()",
            "policy_loss = -(torch.min(ratio, ratio.clamp(1 - clip, 1 + clip)) * adv).mean()",
        ],
    ),
    "surrogate": (
        "ratio:pos adv clip=0.2",
        "surrogate = torch.min(ratio * adv, torch.clamp(ratio, 1 - clip, 1 + clip) * adv)",
        ["surrogate = torch.min(ratio, torch.clamp(ratio, 1 - clip, 1 + clip)) * adv"],
    ),
    "reinforce": (
        "log_probs advantages",
        "policy_loss = (-log_probs * advantages).mean()",
        ["policy_loss = (log_probs * advantages).mean()", "policy_loss = -(log_probs.exp() * advantages).mean()"],
    ),
    "sac_actor": (
        "log_pi q1 q2 alpha=0.2",
        "actor_loss = (alpha * log_pi - torch.min(q1, q2)).mean()",
        [
            "actor_loss = (alpha * log_pi + torch.min(q1, q2)).mean()",
            "actor_loss = (alpha * log_pi - torch.max(q1, q2)).mean()",
        ],
    ),
    "sac_alpha": (
        "log_pi log_alpha target_entropy=-2.0",
        "alpha_loss = (-log_alpha * (log_pi + target_entropy)).mean()",
        [
            "alpha_loss = -(log_alpha * (log_pi - target_entropy)).mean()",
            "alpha_loss = (log_alpha * (log_pi + target_entropy)).mean()",
        ],
    ),
    "entropy": (
        "logits:2",
        "probs = logits.softmax(-1)\n entropy = torch.special.entr(probs).sum(-1)",
        [
            "entropy = -(probs * probs).sum(-1)",
            "entropy = -(probs * probs.exp()).sum(-1)",
        ],
    ),
    "approx_kl": (
        "ratio:pos",
        "logratio = ratio.log()\n approx_kl = (ratio - 1 - logratio).mean()",
        ["approx_kl = (ratio - 1 + logratio).mean()", "approx_kl = (ratio - logratio).mean()"],
    ),
    "token_kl": (
        "logps:2 ref_logps:2",
        "delta = ref_logps - logps\n per_token_kl = torch.expm1(delta) - delta",
        ["per_token_kl = (logps - ref_logps).exp() - (logps - ref_logps) - 1", "per_token_kl = delta"],
    ),
    "rho_bar": (
        "rhos:wide rho_bar=0.5",
        "clipped_rhos = rhos.clamp(max=rho_bar)",
        ["clipped_rhos = rhos.clamp(min=rho_bar)"],
    ),
    "expectile": (
        "q value tau=0.8",
        "diff = q - value\n weight = torch.where(diff < 0, 1 - tau, tau)",
        ["weight = torch.where(diff < 0, tau, 1 - tau)", "weight = torch.where(diff > 0, 1.0, tau)"],
    ),
    "pinball": (
        "y_pred target quantile=0.8",
        "loss = F.relu(target - y_pred) * quantile + F.relu(y_pred - target) * (1 - quantile)",
        ["loss = F.relu(target - y_pred) * (1 - quantile) + F.relu(y_pred - target) * quantile"],
    ),
    "pinball_levels": (
        "preds:2 target q:unit3",
        "error = target.unsqueeze(-1) - preds\n loss = torch.maximum(q * error, (q - 1) * error).sum(-1)",
        [
            "loss = torch.minimum(q * error, (q - 1) * error).sum(-1)",
            "loss = torch.maximum(q * error, (q + 1) * error).sum(-1)",
        ],
    ),
    "qr_dqn": (
        "theta:2 target:2 tau:unit3 kappa=0.5",
        "td = target[:, None, :] - theta[:, :, None]\n"
        " huber = F.huber_loss(td, td * 0, reduction='none', delta=kappa)\n"
        " rho = (tau[:, None] - (td < 0).float()).abs() * huber / kappa",
        [
            "rho = (tau - (td < 0).float()).abs() * huber / kappa",
            "rho = (tau[:, None] - (td > 0).float()).abs() * huber / kappa",
        ],
    ),
    "taus": ("x:2", "n = x.shape[1]\n taus = torch.arange(1, 2 * n, 2) / (2 * n)", ["taus = torch.arange(n) / n"]),
    "huber": (
        "error kappa=0.5",
        "huber = F.huber_loss(error, torch.zeros_like(error), reduction='none', delta=kappa)",
        ["huber = torch.where(error.abs() <= kappa, error.pow(2), kappa * (error.abs() - 0.5 * kappa))"],
    ),
    "c51": (
        "rewards dones:flag support:atoms gamma=0.9",
        "tz = rewards[:, None] + gamma * (1 - dones[:, None]) * support",
        ["tz = rewards[:, None] + gamma * dones[:, None] * support"],
    ),
    "c51_place": ("tz:2 v_min=-1.0 delta_z=0.5", "b = tz / delta_z - v_min / delta_z", ["b = (tz + v_min) / delta_z"]),
    "std": ("log_std", "std = log_std.exp()\n var = std * std", ["var = (0.5 * log_std).exp()", "var = std"]),
    "rho": ("rho", "sigma = F.softplus(rho)", ["sigma = torch.log(1 + rho.abs())"]),
    "logvar": ("std:pos", "logvar = std.pow(2).log()", ["logvar = std.log()"]),
    "precision": ("logvar", "precision = 1 / logvar.exp()", ["precision = logvar.exp()", "precision = 1 / logvar"]),
    "z_score": ("y mu log_sigma", "z = (y - mu) / log_sigma.exp()", ["z = (y - mu) * log_sigma.exp()"]),
    "log_prob": (
        "x mu std:pos",
        "log_prob = -F.gaussian_nll_loss(mu, x, std ** 2, full=True, reduction='none')",
        [
            "log_prob = -0.5 * ((x - mu) / std) ** 2 + std.log()",
            "log_prob = -((x - mu) / std) ** 2 - std.log()",
            "log_prob = -0.5 * ((x - mu) / std) ** 2 - std",
        ],
    ),
    "prior": (
        "z:2",
        "log_pz = -0.5 * (z ** 2 + math.log(2 * math.pi)).sum(1)",
        ["log_pz = 0.5 * (z ** 2).sum(1)", "log_pz = -(z ** 2).sum(1)"],
    ),
    "nll": (
        "mean logvar target",
        "nll = F.gaussian_nll_loss(mean, target, logvar.exp(), reduction='none')",
        [
            "nll = 0.5 * (logvar.exp() * (target - mean) ** 2 + logvar)",
            "nll = (target - mean) ** 2 / logvar.exp() - logvar",
        ],
    ),
    "student": (
        "y mu sigma:pos nu=4.0",
        "z = (y - mu) / sigma\n nll = 0.5 * (nu + 1) * torch.log1p(z ** 2 / nu) + sigma.log()",
        [
            "nll = 0.5 * (nu + 1) * torch.log1p(z ** 2) + sigma.log()",
            "nll = 0.5 * nu * torch.log1p(z ** 2 / nu) + sigma.log()",
        ],
    ),
    "poisson": (
        "rate:pos2 counts:count2",
        "nll = F.poisson_nll_loss(rate, counts, log_input=False, reduction='none', eps=0)",
        ["nll = rate - counts * rate", "nll = rate + counts * rate.log()"],
    ),
    "negative_binomial": (
        "mu:pos2 theta:pos2 counts:count2",
        "nll = -(torch.lgamma(counts + theta) - torch.lgamma(theta) - torch.lgamma(1 + counts)"
        " + theta * (theta / (theta + mu)).log() + counts * (mu / (theta + mu)).log())",
        [
            "nll = -(torch.lgamma(counts + theta) - torch.lgamma(theta) - torch.lgamma(1 + counts)"
            " + theta * (mu / (theta + mu)).log() + counts * (theta / (theta + mu)).log())",
        ],
    ),
    "nb_logits": ("mu:pos2 theta:pos2", "logits = (mu / theta).log()", ["logits = theta.log() - mu.log()"]),
    "log_pi": (
        "pi_logits:2",
        "log_pi = pi_logits - pi_logits.logsumexp(1, keepdim=True)",
        ["log_pi = pi_logits.log_softmax(0)", "log_pi = pi_logits.softmax(1)"],
    ),
    "mixture": (
        "log_pi:2 log_prob:2",
        "log_lik = (log_pi + log_prob).exp().sum(1).log()",
        ["log_lik = torch.logsumexp(log_pi * log_prob, 1)", "log_lik = (log_pi + log_prob).sum(1)"],
    ),
    "kl_std": (
        "mu:2 std:pos2",
        "kl = (-std.log() + (std ** 2 + mu ** 2 - 1) / 2).sum(1)",
        [
            "kl = (-std.log() + (std + mu ** 2 - 1) / 2).sum(1)",
            "kl = (std.log() + (std ** 2 + mu ** 2 - 1) / 2).sum(1)",
        ],
    ),
    "kl_two": (
        "mu_q:2 logvar_q:2 mu_p:2 logvar_p:2",
        "kl = 0.5 * ((logvar_q - logvar_p).exp() + (mu_q - mu_p) ** 2 / logvar_p.exp()"
        " - 1 + logvar_p - logvar_q).sum(1)",
        [
            "kl = 0.5 * ((logvar_q - logvar_p).exp() + (mu_q - mu_p) ** 2 / logvar_q.exp()"
            " - 1 + logvar_p - logvar_q).sum(1)",
            "kl = 0.5 * ((logvar_q - logvar_p).exp() + (mu_q - mu_p) ** 2 / logvar_p.exp()"
            " - 1 - logvar_p + logvar_q).sum(1)",
        ],
    ),
    "reparameterised": (
        "mu:2 logvar:2 eps:2",
        "std = logvar.mul(0.5).exp()\n z = eps.mul(std).add(mu)",
        ["z = mu + eps * logvar.exp()", "z = mu - eps + std"],
    ),
    "straight_through": (
        "z:2 z_q:2",
        "z_q_st = z + (z_q - z).detach()",
        ["z_q_st = z - (z_q - z).detach()", "z_q_st = z_q + (z_q - z).detach()"],
    ),
    "code_distance": (
        "flat:2 codebook:code",
        "dist = flat.pow(2).sum(1, keepdim=True) - 2 * flat @ codebook.t() + codebook.pow(2).sum(1)",
        ["dist = flat.pow(2).sum(1, keepdim=True) + 2 * flat @ codebook.t() + codebook.pow(2).sum(1)"],
    ),
    "commitment": (
        "z_e:2 z_q:2",
        "commitment_loss = F.mse_loss(z_e, z_q.detach())",
        ["commitment_loss = F.mse_loss(z_e, z_e.detach() + z_q)"],
    ),
    "perplexity": (
        "avg_probs:prob",
        "perplexity = torch.special.entr(avg_probs).sum().exp()",
        ["perplexity = (avg_probs * avg_probs.log()).sum().exp()"],
    ),
    "alphas_cumprod": (
        "betas:small10",
        "alphas_cumprod = (1 - betas).log().cumsum(0).exp()",
        ["alphas_cumprod = betas.cumprod(0)", "alphas_cumprod = (1 - betas).cumsum(0)"],
    ),
    "root": (
        "alphas_cumprod:falling10",
        "sqrt_one_minus_alphas_cumprod = (1 - alphas_cumprod) ** 0.5",
        ["sqrt_one_minus_alphas_cumprod = 1 - alphas_cumprod ** 0.5"],
    ),
    "snr": (
        "alphas_cumprod:falling10 t:step",
        "ab = alphas_cumprod[t]\n snr = 1 / (1 / ab - 1)",
        ["snr = (1 - ab) / ab", "snr = ab / (1 + ab)"],
    ),
    "clipped_snr": ("snr:pos gamma=0.5", "clipped_snr = snr.clamp(max=gamma)", ["clipped_snr = snr.clamp(min=gamma)"]),
    "snr_weight": (
        "snr:pos gamma=0.5",
        "weights = (gamma / snr).clamp(max=1)",
        ["weights = torch.clamp(snr, min=gamma) / snr", "weights = snr.clamp(max=gamma) * snr"],
    ),
    "noisy": (
        "x0:2 noise:2 alpha_bar:unit",
        "ab = alpha_bar.view(-1, 1)\n x_t = ab.sqrt() * x0 + (1 - ab).sqrt() * noise",
        [
            "x_t = ab.sqrt() * x0 + (1 - ab.sqrt()) * noise",
            "x_t = ab * x0 + (1 - ab) * noise",
            "x_t = ab.sqrt() * noise + (1 - ab).sqrt() * x0",
        ],
    ),
    "velocity": (
        "x0:2 noise:2 alphas_cumprod:falling10 t:step",
        "ab = alphas_cumprod[t][:, None]\n v = noise * ab ** 0.5 - x0 * (1 - ab) ** 0.5",
        ["v = x0 * ab ** 0.5 - noise * (1 - ab) ** 0.5", "v = noise * ab ** 0.5 + x0 * (1 - ab) ** 0.5"],
    ),
    "flow": (
        "x0:2 x1:2 t:unit",
        "x_t = x0 + t[:, None] * (x1 - x0)",
        ["x_t = x1 + t[:, None] * (x0 - x1)", "x_t = x0 + t[:, None] * x1"],
    ),
    "flow_target": ("x0:2 x1:2", "target = x1 - x0", ["target = x0 - x1"]),
    "x0": (
        "x_t:2 noise_pred:2 alpha_bar:unit",
        "ab = alpha_bar[:, None]\n pred_x0 = x_t / ab.sqrt() - (1 / ab - 1).sqrt() * noise_pred",
        [
            "pred_x0 = (x_t - (1 - ab).sqrt() * noise_pred) * ab.sqrt()",
            "pred_x0 = (x_t - ab.sqrt() * noise_pred) / (1 - ab).sqrt()",
        ],
    ),
    "c_skip": (
        "sigma:pos sigma_data=0.5",
        "c_skip = 1 / (1 + (sigma / sigma_data) ** 2)",
        ["c_skip = sigma ** 2 / (sigma ** 2 + sigma_data ** 2)"],
    ),
    "c_out": (
        "sigma:pos sigma_data=0.5",
        "c_out = sigma_data * sigma / torch.hypot(sigma, torch.tensor(sigma_data))",
        ["c_out = sigma * sigma_data / (sigma ** 2 + sigma_data ** 2)"],
    ),
    "c_in": (
        "sigma:pos sigma_data=0.5",
        "c_in = (sigma_data ** 2 + sigma ** 2) ** -0.5",
        ["c_in = (sigma_data ** 2 + sigma ** 2) ** 0.5", "c_in = 1 / (sigma_data + sigma)"],
    ),
    "edm_weight": (
        "sigma:pos sigma_data=0.5",
        "weight = 1 / sigma ** 2 + 1 / sigma_data ** 2",
        ["weight = (sigma ** 2 + sigma_data ** 2) / (sigma * sigma_data)"],
    ),
    "score": (
        "noise:2 sigma:pos",
        "score_target = -noise / sigma[:, None]",
        ["score_target = noise / sigma[:, None]", "score_target = -noise * sigma[:, None]"],
    ),
    "bpd": (
        "nll:pos dims=48",
        "bpd = nll / dims / math.log(2)",
        ["bpd = nll / dims * math.log(2)", "bpd = nll * dims / math.log(2)"],
    ),
    "shift_logits": (
        "logits:3",
        "shift_logits = logits[:, :-1].contiguous()",
        ["shift_logits = logits[:, 1:].contiguous()"],
    ),
    "shift_labels": ("labels:class2", "shift_labels = labels[:, 1:]", ["shift_labels = labels[:, :-1]"]),
    "keep": (
        "labels:ignored2 ignore_index=-100",
        "keep = labels.ne(ignore_index).float()",
        ["keep = labels.eq(ignore_index).float()"],
    ),
    "length_mask": (
        "lengths:length max_len=6",
        "seq_mask = torch.arange(1, max_len + 1)[None] <= lengths[:, None]",
        [
            "seq_mask = torch.arange(max_len)[None] <= lengths[:, None]",
            "seq_mask = torch.arange(max_len)[None] > lengths[:, None]",
        ],
    ),
    "smoothed_loss": (
        "nll smooth epsilon=0.1",
        "loss = nll - epsilon * (nll - smooth)",
        ["loss = epsilon * nll + (1 - epsilon) * smooth", "loss = (1 - epsilon) * nll - epsilon * smooth"],
    ),
    "smooth_labels": (
        "one_hot:hot smoothing=0.1 num_classes=3",
        "smooth_targets = one_hot - smoothing * (one_hot - 1 / num_classes)",
        [
            "smooth_targets = (1 - smoothing) * one_hot + smoothing",
            "smooth_targets = smoothing * one_hot + (1 - smoothing) / num_classes",
        ],
    ),
    "dpo_logits": (
        "policy_chosen_logps policy_rejected_logps reference_chosen_logps reference_rejected_logps",
        "logits = (policy_chosen_logps - reference_chosen_logps) - (policy_rejected_logps - reference_rejected_logps)",
        [
            "logits = (policy_chosen_logps - policy_rejected_logps)"
            " + (reference_chosen_logps - reference_rejected_logps)",
            "logits = (policy_chosen_logps - policy_rejected_logps)"
            " - (reference_rejected_logps - reference_chosen_logps)",
        ],
    ),
    "chosen_reward": (
        "policy_chosen_logps reference_chosen_logps beta=0.1",
        "chosen_rewards = beta * policy_chosen_logps - beta * reference_chosen_logps",
        [
            "chosen_rewards = beta * (policy_chosen_logps + reference_chosen_logps)",
            "chosen_rewards = beta * (reference_chosen_logps - policy_chosen_logps)",
        ],
    ),
    "dpo_loss": (
        "chosen_logps rejected_logps ref_chosen ref_rejected beta=0.5",
        "h = chosen_logps - ref_chosen - rejected_logps + ref_rejected\n loss = F.softplus(-beta * h).mean()",
        ["loss = F.softplus(beta * h).mean()", "loss = F.softplus(-h / beta).mean()"],
    ),
    "reward_loss": (
        "chosen_rewards rejected_rewards",
        "loss = F.softplus(rejected_rewards - chosen_rewards).mean()",
        ["loss = F.softplus(chosen_rewards - rejected_rewards).mean()"],
    ),
    "log_odds": (
        "logp:minus",
        "log_odds = logp - torch.log(-torch.expm1(logp))",
        ["log_odds = logp - torch.log1p(logp.exp())"],
    ),
    "kto_kl": (
        "policy_kl_logps ref_kl_logps",
        "kl = (policy_kl_logps.mean() - ref_kl_logps.mean()).clamp(min=0)",
        ["kl = (policy_kl_logps - ref_kl_logps).clamp(min=0).mean()"],
    ),
    "expert_probability": (
        "router_probs:prob2",
        "prob_per_expert = router_probs.t().mean(1)",
        ["prob_per_expert = (router_probs ** 2).mean(0)"],
    ),
    "balance": (
        "tokens_per_expert:pos prob_per_expert:pos num_experts=5",
        "aux_loss = num_experts * tokens_per_expert @ prob_per_expert",
        [
            "aux_loss = num_experts * (tokens_per_expert + prob_per_expert).sum()",
            "aux_loss = -num_experts * tokens_per_expert @ prob_per_expert",
        ],
    ),
    "z_loss": (
        "logits:2",
        "z_loss = (logits.exp().sum(-1).log() ** 2).mean()",
        ["z_loss = logits.logsumexp(-1).mean()", "z_loss = (logits.logsumexp(0) ** 2).mean()"],
    ),
    "gains": (
        "labels:count2",
        "gains = torch.exp2(labels) - 1",
        ["gains = labels ** 2 - 1", "gains = torch.exp(labels) - 1"],
    ),
    "discounts": (
        "ranks:rank",
        "discounts = math.log(2) / (1 + ranks).log()",
        ["discounts = 1 / (1 + ranks)", "discounts = 1 / torch.log2(ranks + 5)"],
    ),
    "discounts_of_scores": (
        "scores:2",
        "rank = (-scores).argsort(1).argsort(1)\n discount = 1 / torch.log2(rank + 2.0)",
        ["discount = 1 / torch.log2((-scores).argsort(1) + 2.0)"],
    ),
    "dcg": (
        "gains:pos2 discounts:pos2",
        "dcg = torch.einsum('nk,nk->n', gains, discounts)",
        ["dcg = (gains + discounts).sum(1)"],
    ),
    "ndcg": ("dcg:pos idcg:pos", "ndcg = dcg / idcg", ["ndcg = idcg / dcg", "ndcg = dcg * idcg"]),
    "delta_ndcg": (
        "gains:2 discount:2 idcg:pos",
        "d_gain = gains[:, :, None] - gains[:, None, :]\n d_disc = discount[:, :, None] - discount[:, None, :]\n"
        " delta_ndcg = (d_gain * d_disc).abs() / idcg[:, None, None]",
        [
            "delta_ndcg = d_gain * d_disc / idcg[:, None, None]",
            "delta_ndcg = (d_gain * d_disc).abs() * idcg[:, None, None]",
        ],
    ),
    "score_diff": (
        "scores:2",
        "score_diff = scores[:, None, :] - scores[:, :, None]",
        ["score_diff = scores[:, None, :] + scores[:, :, None]"],
    ),
    "at_risk": ("time:pos", "at_risk = (time[:, None] - time[None]) <= 0", ["at_risk = time[None] == time[:, None]"]),
    "log_risk": (
        "log_h",
        "m = log_h.max()\n log_risk = m + (log_h - m).exp().cumsum(0).log()",
        ["log_risk = log_h.cumsum(0)", "log_risk = log_h.exp().cumsum(0)"],
    ),
    "survival": (
        "hazards:unit2",
        "surv = (1 - hazards).log().cumsum(1).exp()",
        ["surv = hazards.cumprod(1)", "surv = (1 - hazards).cumprod(0)", "surv = 1 - hazards.cumprod(1)"],
    ),
    "hazards": (
        "logits:2",
        "hazards = 1 / (1 + (-logits).exp())",
        ["hazards = logits.softmax(1)", "hazards = (-logits).sigmoid()"],
    ),
    "levels": (
        "labels:class num_classes=4",
        "levels = torch.arange(num_classes - 1) < labels[:, None]",
        ["levels = torch.arange(num_classes - 1) == labels[:, None]"],
    ),
    "ordered": (
        "cum_probs:rising",
        "probs = torch.diff(cum_probs, dim=1, prepend=cum_probs[:, :1] * 0, append=cum_probs[:, :1] * 0 + 1)",
        ["probs = torch.diff(cum_probs, dim=1, prepend=cum_probs[:, :1] * 0, append=cum_probs[:, :1] * 0 + 2)"],
    ),
    "sisdr": (
        "est:2 ref:2",
        "alpha = torch.linalg.vecdot(est, ref)[:, None] / ref.square().sum(-1, keepdim=True)\n s_target = alpha * ref\n"
        " e_noise = est - s_target\n si_sdr = 20 * torch.log10(s_target.norm(dim=-1) / e_noise.norm(dim=-1))",
        [
            "si_sdr = 10 * torch.log10(s_target.norm(dim=-1) / e_noise.norm(dim=-1))",
            "si_sdr = 10 * torch.log10(e_noise.square().sum(-1) / s_target.square().sum(-1))",
            "e_noise = est + s_target",
            "alpha = torch.linalg.vecdot(est, ref)[:, None] / est.square().sum(-1, keepdim=True)",
        ],
    ),
    "magnitude": (
        "real:2 imag:2",
        "mag = torch.hypot(real, imag)",
        ["mag = real ** 2 + imag ** 2", "mag = (real ** 2 - imag ** 2).abs().sqrt()"],
    ),
    "log_mag": ("mag:pos2", "log_mag = 20 * mag.log10()", ["log_mag = mag.square()"]),
    "convergence": (
        "pred_mag:pos2 target_mag:pos2",
        "sc_loss = (target_mag - pred_mag).norm() / target_mag.norm()",
        [
            "sc_loss = (target_mag - pred_mag).norm() / pred_mag.norm()",
            "sc_loss = (target_mag - pred_mag).norm() * target_mag.norm()",
        ],
    ),
    "rmse": (
        "pred:2 target:2",
        "rmse = F.mse_loss(pred, target).sqrt()",
        ["rmse = F.mse_loss(pred, target)", "rmse = F.l1_loss(pred, target).sqrt()"],
    ),
    "mse": (
        "pred:2 target:2",
        "mse = F.mse_loss(pred, target)",
        ["mse = (pred - target).abs()", "mse = ((pred + target) ** 2).mean()"],
    ),
    "mae": ("pred:2 target:2", "mae = F.l1_loss(pred, target)", ["mae = (pred - target).mean()"]),
    "mape": (
        "forecast:2 actual:2",
        "mape = 100 * ((forecast / actual) - 1).abs().mean()",
        ["mape = 100 * ((forecast - actual) / forecast).abs().mean()", "mape = ((forecast - actual) / actual).mean()"],
    ),
    "smape": (
        "forecast:2 actual:2",
        "smape = 200 * ((forecast - actual).abs() / (forecast.abs() + actual.abs())).mean()",
        [
            "smape = 200 * ((forecast - actual).abs() / (forecast + actual)).mean()",
            "smape = 200 * ((forecast - actual).abs() / (forecast.abs() - actual.abs())).mean()",
        ],
    ),
    "naive": (
        "insample:line m=4",
        "scale = (insample[:, m:] - insample[:, :-m]).abs().mean(1)",
        [
            "scale = (insample[:, m:] - insample[:, :-m]).mean(1)",
            "scale = (insample[:, m:] + insample[:, :-m]).abs().mean(1)",
        ],
    ),
    "mase": (
        "forecast target scale:pos",
        "mase = ((forecast - target) / scale).abs().mean()",
        ["mase = ((forecast - target) * scale).abs().mean()"],
    ),
    "log_cosh": (
        "pred target",
        "log_cosh = torch.cosh(pred - target).log()",
        ["log_cosh = torch.cosh(pred - target)", "log_cosh = torch.sinh(pred - target).abs().log()"],
    ),
    "charbonnier": (
        "pred target eps=0.1",
        "charbonnier = torch.hypot(pred - target, torch.tensor(eps))",
        ["charbonnier = ((pred - target).abs() + eps ** 2).sqrt()"],
    ),
    "huber_loss": (
        "pred target delta=0.5",
        "huber_loss = F.huber_loss(pred, target, delta=delta)",
        ["huber_loss = F.huber_loss(pred, -target, delta=delta)"],
    ),
    "rmsle": (
        "pred:pos target:pos",
        "rmsle = F.mse_loss(pred.log1p(), target.log1p()).sqrt()",
        ["rmsle = F.mse_loss(pred.exp(), target.exp()).sqrt()"],
    ),
    "u_x": (
        "u:line dx=0.1",
        "u_x = (u[:, 2:] - u[:, :-2]) / dx / 2",
        ["u_x = (u[:, 2:] - u[:, :-2]) / dx", "u_x = (u[:, :-2] - u[:, 2:]) / (2 * dx)"],
    ),
    "u_xx": (
        "u:line dx=0.1",
        "u_xx = torch.diff(u, n=2, dim=1) / dx ** 2",
        ["u_xx = torch.diff(u, n=2, dim=1) / dx", "u_xx = (u[:, 2:] + 2 * u[:, 1:-1] + u[:, :-2]) / dx ** 2"],
    ),
    "ema": (
        "center:2 batch_center:2 momentum=0.9",
        "new_center = torch.lerp(batch_center, center, momentum)",
        ["new_center = momentum * center + momentum * batch_center", "new_center = momentum * center + batch_center"],
    ),
    "kendall": (
        "loss:pos log_var",
        "term = 0.5 * (loss / log_var.exp() + log_var)",
        ["term = 0.5 * (loss * log_var.exp() + log_var)", "term = 0.5 * (loss / log_var.exp() - log_var)"],
    ),
}
KINDS |= {
    "wide": lambda: torch.rand(5) * 3,
    "unit3": lambda: torch.rand(3) * 0.8 + 0.1,
    "atoms": lambda: torch.linspace(-1, 1, 6),
    "prob": lambda: torch.randn(4).softmax(0),
    "hot": lambda: torch.eye(3)[torch.randint(3, (5,))],
    "minus": lambda: -torch.rand(5) - 0.1,
    "rank": lambda: torch.randperm(5) + 1.0,
    "rising": lambda: torch.randn(5, 3).cumsum(1) * 0 + torch.rand(5, 3).sort(1).values,
}


def subject_of(path: Path, takes: str, lines: str) -> Any:
    """A loss of these lines, and the numbers that it takes."""
    names = [each.partition(":")[0] for each in takes.split() if "=" not in each]
    settings = [each for each in takes.split() if "=" in each]
    last = lines.splitlines()[-1].strip().partition(" ")[0]
    body = "".join(f"    {each.strip()}\n" for each in lines.splitlines())
    path.write_text(f"{HEAD}def loss_of({', '.join([*names, *settings])}):\n{body}    return {last}\n")
    space: dict[str, Any] = {"__name__": "mine"}
    exec(compile(path.read_text(), str(path), "exec"), space)
    kinds = [each.partition(":")[2] or "1" for each in takes.split() if "=" not in each]

    def example(seed: int) -> list[Tensor]:
        torch.manual_seed(seed)
        return [KINDS[each]() for each in kinds]

    return SimpleNamespace(
        build=lambda: space["loss_of"],
        example=example,
        call=lambda criterion, *tensors: criterion(*tensors),
        spec=SimpleNamespace(way=SimpleNamespace(inside=False)),
    )


def said_of(path: Path, takes: str, lines: str) -> list[str]:
    cases = promised.cases_of(subject_of(path, takes, lines))
    named = lines.splitlines()[-1].strip().partition(" ")[0]
    assert named in {each.made.name for each in cases}, "the variable is not known"
    return [each.what for each in promised.differences(cases)]


@pytest.mark.parametrize("name", TABLE)
def test_sound(tmp_path: Path, name: str) -> None:
    takes, lines, _ = TABLE[name]
    assert said_of(tmp_path / "mine.py", takes, lines) == []


FAULTY = [(name, at) for name, (_, _, faulty) in TABLE.items() for at in range(len(faulty))]


@pytest.mark.parametrize(("name", "at"), FAULTY, ids=lambda each: str(each))
def test_faulty(tmp_path: Path, name: str, at: int) -> None:
    takes, lines, faulty = TABLE[name]
    *before, _ = lines.splitlines()
    assert said_of(tmp_path / "mine.py", takes, "\n".join([*before, faulty[at]])) != []
