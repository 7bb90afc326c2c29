"""Formulas of families: a sound convention is one, and a planted fault is found at its line."""

import ast
import inspect
import itertools

import pytest
import torch
import torch.nn.functional as F

from losskit.checker.claims.text import text_of
from losskit.checker.origin import origin_of
from losskit.checker.references.binding import bound_to
from losskit.checker.references.code import functions_of
from losskit.checker.references.edits.mistakes import edits_of
from losskit.checker.references.one_edit import one_edit_from_formula
from losskit.checker.references.reference import REFERENCES
from losskit.checker.references.unlike import forms_of, is_formula
from losskit.checker.subject import Subject


def gradient_penalty(critic, real, fake, weight=10.0):
    share = torch.rand(len(real), *[1] * (real.dim() - 1), dtype=real.dtype)
    mixed = (share * real + (1 - share) * fake).detach().requires_grad_()
    slope = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)[0]
    return weight * (slope.flatten(1).norm(dim=1) - 1).square().mean()


def gradient_penalty_of_pixels(critic, real, fake, weight=10.0):
    """Gradient penalty."""
    share = torch.rand(len(real), *[1] * (real.dim() - 1), dtype=real.dtype)
    mixed = (share * real + (1 - share) * fake).detach().requires_grad_()
    slope = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)[0]
    return weight * (slope.norm(dim=1) - 1).square().mean()


def burgers(net, x, t, nu=0.01):
    x, t = x.requires_grad_(), t.requires_grad_()
    u = net(torch.cat([x, t], 1))
    ux, ut = torch.autograd.grad(u.sum(), (x, t), create_graph=True)
    uxx = torch.autograd.grad(ux.sum(), x, create_graph=True)[0]
    return (ut + u * ux - nu * uxx).square().mean()


def burgers_in_time(net, x, t, nu=0.01):
    """Burgers' equation."""
    x, t = x.requires_grad_(), t.requires_grad_()
    u = net(torch.cat([x, t], 1))
    ux, ut = torch.autograd.grad(u.sum(), (x, t), create_graph=True)
    uxx = torch.autograd.grad(ux.sum(), t, create_graph=True)[0]
    return (ut + u * ux - nu * uxx).square().mean()


def flow_matching(model, x1, x0, t):
    x = (1 - t[:, None]) * x0 + t[:, None] * x1
    return F.mse_loss(model(x, t), x1 - x0)


def flow_matching_backwards(model, x1, x0, t):
    """Flow matching."""
    x = (1 - t[:, None]) * x0 + t[:, None] * x1
    return F.mse_loss(model(x, t), x0 - x1)


def sac_critic(q1, q2, next_q1, next_q2, next_logp, reward, done, gamma=0.99, alpha=0.2):
    value = torch.minimum(next_q1, next_q2) - alpha * next_logp
    aim = (reward + gamma * (1 - done) * value).detach()
    return F.mse_loss(q1, aim) + F.mse_loss(q2, aim)


def sac_critic_after_the_end(q1, q2, next_q1, next_q2, next_logp, reward, done, gamma=0.99, alpha=0.2):
    """SAC critics."""
    value = torch.minimum(next_q1, next_q2)
    aim = (reward + gamma * (1 - done) * value - alpha * next_logp).detach()
    return F.mse_loss(q1, aim) + F.mse_loss(q2, aim)


def cql(q, actions):
    return (q.logsumexp(1) - q.gather(1, actions[:, None]).squeeze(1)).mean()


def cql_of_batch(q, actions):
    """CQL."""
    return q.logsumexp(0).mean() - q.gather(1, actions[:, None]).squeeze(1).mean()


def ppo(logp, old_logp, adv, clip=0.2):
    ratio = (logp - old_logp).exp()
    return -torch.minimum(ratio * adv, ratio.clamp(1 - clip, 1 + clip) * adv).mean()


def ppo_of_ratios(logp, old_logp, adv, clip=0.2):
    """PPO."""
    ratio = (logp - old_logp).exp()
    return -(torch.minimum(ratio, ratio.clamp(1 - clip, 1 + clip)) * adv).mean()


def pit_loss(est, ref):
    """Permutation invariant squared error."""
    orders = itertools.permutations(range(est.shape[1]))
    return torch.stack([(est[:, list(p)] - ref).square().mean((1, 2)) for p in orders]).amin(0).mean()


def pit_loss_of_the_worst(est, ref):
    """Permutation invariant squared error."""
    orders = itertools.permutations(range(est.shape[1]))
    return torch.stack([(est[:, list(p)] - ref).square().mean((1, 2)) for p in orders]).amax(0).mean()


def stft_loss(x, y, n_fft=512, hop=128):
    a, b = (torch.stft(s, n_fft, hop, window=torch.hann_window(n_fft).to(s), return_complex=True) for s in (x, y))
    return (a.abs() - b.abs()).norm() / b.abs().norm() + F.l1_loss(a.abs().log(), b.abs().log())


def stft_loss_by_prediction(x, y, n_fft=512, hop=128):
    """STFT."""
    a, b = (torch.stft(s, n_fft, hop, window=torch.hann_window(n_fft).to(s), return_complex=True) for s in (x, y))
    return (a.abs() - b.abs()).norm() / a.abs().norm() + F.l1_loss(a.abs().log(), b.abs().log())


def raft_loss(flow_preds, flow_gt, valid, gamma=0.8):
    """Optical flow."""
    count = len(flow_preds)
    parts = [gamma ** (count - 1 - n) * (valid[:, None] * (f - flow_gt).abs()).mean() for n, f in enumerate(flow_preds)]
    return sum(parts)


def raft_loss_reversed(flow_preds, flow_gt, valid, gamma=0.8):
    """Optical flow."""
    loss = 0.0
    for n in range(len(flow_preds)):
        loss = loss + gamma**n * (valid[:, None] * (flow_preds[n] - flow_gt).abs()).mean()
    return loss


def masked_mse(pred, target, mask):
    return ((pred - target).square().mean(-1) * mask).sum() / mask.sum()


def masked_mse_of_padding(pred, target, mask):
    """Masked MSE."""
    return ((pred - target).square().mean(-1) * (1 - mask)).sum() / mask.sum()


def nf_flow_nll(z, log_det):
    return (0.5 * z.square().flatten(1).sum(1) - log_det).mean()


def nf_flow_nll_plus(z, log_det):
    """Normalizing flow."""
    return (0.5 * z.square().flatten(1).sum(1) + log_det).mean()


def free_bits_kl(mu, logvar, free_bits=0.5):
    """KL with free bits."""
    return (0.5 * (mu**2 + logvar.exp() - logvar - 1)).mean(0).clamp(min=free_bits).sum()


def free_bits_kl_above(mu, logvar, free_bits=0.5):
    """KL with free bits."""
    return (0.5 * (mu**2 + logvar.exp() - logvar - 1)).mean(0).clamp(max=free_bits).sum()


def zip_nll(log_rate, gate_logits, counts):
    """Zero-inflated Poisson."""
    pi, rate = gate_logits.sigmoid(), log_rate.exp()
    zero = (pi + (1 - pi) * (-rate).exp()).log()
    return -torch.where(counts == 0, zero, (1 - pi).log() + counts * log_rate - rate - torch.lgamma(counts + 1)).mean()


def zip_nll_of_all_zeros(log_rate, gate_logits, counts):
    """Zero-inflated Poisson."""
    pi, rate = gate_logits.sigmoid(), log_rate.exp()
    zero = (pi + (-rate).exp()).log()
    return -torch.where(counts == 0, zero, (1 - pi).log() + counts * log_rate - rate - torch.lgamma(counts + 1)).mean()


def gram(x):
    return x.flatten(2) @ x.flatten(2).mT


def style_loss(feats_x, feats_y):
    return sum((gram(a) - gram(b)).square().mean() for a, b in zip(feats_x, feats_y, strict=True))


def score_matching(score, noise, sigma):
    return (score * sigma[:, None] + noise).square().sum(1).mean()


def score_matching_of_sign(score, noise, sigma):
    """Denoising score matching."""
    return (score * sigma[:, None] - noise).square().sum(1).mean()


def domain_loss(source_logits, target_logits):
    return F.softplus(source_logits).mean() + F.softplus(-target_logits).mean()


def domain_loss_alike(source_logits, target_logits):
    """DANN."""
    return F.softplus(source_logits).mean() + F.softplus(target_logits).mean()


PAIRS = [
    (gradient_penalty, gradient_penalty_of_pixels, 5),
    (burgers, burgers_in_time, 5),
    (flow_matching, flow_matching_backwards, None),
    (sac_critic, sac_critic_after_the_end, 3),
    (cql, cql_of_batch, 2),
    (ppo, ppo_of_ratios, 3),
    (pit_loss, pit_loss_of_the_worst, 3),
    (stft_loss, stft_loss_by_prediction, None),
    (raft_loss, raft_loss_reversed, 4),
    (masked_mse, masked_mse_of_padding, 2),
    (nf_flow_nll, nf_flow_nll_plus, 2),
    (free_bits_kl, free_bits_kl_above, 2),
    (zip_nll, zip_nll_of_all_zeros, 3),
    (score_matching, score_matching_of_sign, None),
    (domain_loss, domain_loss_alike, None),
]


def equals_a_formula(loss):
    subject = Subject(origin_of(loss), None)
    text = text_of(loss, subject.name)
    bound = [made for reference in REFERENCES if (made := bound_to(subject, reference, text)) is not None]
    return any(is_formula(form, subject.name) for each in bound for form in forms_of(each))


@pytest.mark.parametrize("loss", [*(pair[0] for pair in PAIRS), style_loss], ids=lambda loss: loss.__name__)
def test_a_convention_is_the_formula(loss):
    assert equals_a_formula(loss)


@pytest.mark.parametrize(("loss", "line"), [pair[1:] for pair in PAIRS], ids=lambda each: getattr(each, "__name__", ""))
def test_a_planted_fault_is_found(loss, line):
    (found,) = one_edit_from_formula(Subject(origin_of(loss), None))
    first = inspect.getsourcelines(loss)[1]
    assert line is None or f"line {first + line}:" in found.what


def moved(a, b, lag=2):
    """Statements, products, slices and shapes that a slip may change."""
    first_x = a.mean(0)
    first_y = b.mean(1)
    total = a[:, 1:] - a[:, :-1]
    last = 0.0
    for n in range(3):
        last = last + 0.5**n + torch.minimum(a, b) * lag - total.abs().sum(dim=1).mean(dim=1)
    return last + (a - b).abs().sum() + first_x.sum() * first_y.square().sum(dim=1)


def test_each_slip_is_undone():
    (function,) = functions_of(moved)
    codes = set()
    tree = ast.dump(function.tree)
    for edit in edits_of(function):
        undo = edit.apply()
        codes.add(ast.unparse(function.tree))
        undo()
        assert ast.dump(function.tree) == tree
    for words in (
        "0.5 ** (3 - 1 - n)",
        "a[:, lag:] - a[:, :-lag]",
        "torch.minimum(a * lag, b * lag)",
        "a.abs() - b.abs()",
    ):
        assert any(words in code for code in codes), words
