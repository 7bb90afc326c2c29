"""Quantities of masks, boxes, focal losses, probabilities, similarities, images, poses and adversaries."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from losskit.checker.quantities import promised

HEAD = """
import math

import torch
import torch.nn.functional as F
"""


def boxes(n: int = 6) -> Tensor:
    low = torch.rand(n, 2)
    return torch.cat([low, low + torch.rand(n, 2) + 0.1], 1)


def rotations(n: int = 6) -> Tensor:
    return torch.linalg.qr(torch.randn(n, 3, 3))[0]


MADE = {
    "probs": lambda: torch.rand(4, 9) * 0.9 + 0.05,
    "q": lambda: torch.softmax(torch.randn(4, 9), 1),
    "p": lambda: torch.softmax(torch.randn(4, 9), 1),
    "logits": lambda: 2 * torch.randn(4, 9),
    "scores4": lambda: torch.randn(4, 9),
    "target": lambda: torch.randint(2, (4, 9)).double(),
    "labels": lambda: torch.randint(3, (4,)),
    "box1": boxes,
    "box2": boxes,
    "z": lambda: torch.randn(5, 7),
    "z1": lambda: torch.randn(5, 7),
    "z2": lambda: torch.randn(5, 7),
    "x": lambda: torch.randn(5, 3),
    "y": lambda: torch.randn(5, 3),
    "img": lambda: torch.rand(2, 3, 6, 5),
    "feat": lambda: torch.rand(2, 3, 4, 5),
    "vec": lambda: torch.rand(8) + 0.5,
    "cosine": lambda: torch.rand(4, 9) * 1.8 - 0.9,
    "counts": lambda: torch.randint(1, 90, (5,)).double(),
    "R_pred": rotations,
    "R_gt": rotations,
    "grid_x": lambda: torch.arange(5.0),
    "heatmap": lambda: torch.softmax(torch.randn(2, 30), 1).reshape(2, 6, 5),
    "number": lambda: 0.3,
    "two": lambda: 2.5,
}
SHAPES = {  # names that are made like others
    "vec": "inter union area1 area2 fp fn tp tn precision recall iou v rho2 c2 hull dice c_area w1 h1 w2 h2 x1 x2 "
    "y1 y2 cx w gt_x anchor_x anchor_w gt_w pt ce mse disp depth d2 dist_ap dist_an d_real d_fake grad_norm mean_disp "
    "log_diff ssim var trace",
    "number": "alpha beta gamma smooth smoothing m th mm cos_m sin_m lam sigma",
    "two": "s T temperature max_val",
    "target": "mask one_hot positives",
    "logits": "student_logits teacher_logits log_prob err",
    "img": "mu1 mu2 sigma1_sq sigma2_sq sigma12 blur_xx grad_img_x real fake",
    "number2": "C1 C2",
    "z": "gradients",
    "square": "sim exp_logits same eye xx yy xy adj dist",
}
for kind, names in SHAPES.items():
    for each in names.split():
        MADE[each] = MADE.get(kind, (lambda: 0.2) if kind == "number2" else (lambda: torch.rand(5, 5)))
MADE["same"] = lambda: (torch.rand(5, 5) > 0.5).double()
MADE["eye"] = lambda: torch.eye(5)
MADE["phi"] = MADE["cosine"]
MADE["eps4"] = lambda: torch.rand(2, 1, 1, 1)
MADE["alpha4"] = MADE["eps4"]
MADE["d_pair"] = lambda: torch.rand(2, 5, 6)

ROWS = [  # code, the variables that it takes, and whether something is found
    ("tp = (probs * target).sum(1)", "probs target", False),
    ("tp = (probs * (1 - target)).sum(1)", "probs target", True),
    ("inter = (torch.sigmoid(logits) * target).sum()", "logits target", False),
    ("inter = (logits * target).sum()", "logits target", True),
    ("fp = ((1 - target) * probs).sum(1)", "probs target", False),
    ("fp = ((1 - probs) * target).sum(1)", "probs target", True),
    ("fn = (target * (1 - probs)).sum(1)", "probs target", False),
    ("fn = (probs * (1 - target)).sum(1)", "probs target", True),
    ("tn = ((1 - target) * (1 - probs)).sum(1)", "probs target", False),
    ("tn = ((1 - target) * probs).sum(1)", "probs target", True),
    ("cardinality = probs.sum(1) + target.sum(1)", "probs target", False),
    ("cardinality = probs.sum(1) - target.sum(1)", "probs target", True),
    ("union = probs.sum(1) + target.sum(1) - inter", "probs target inter4", False),
    ("union = probs.sum(1) + target.sum(1) + inter", "probs target inter4", True),
    ("union = area1 + area2 - inter", "area1 area2 inter", False),
    ("union = area1 + area2 + inter", "area1 area2 inter", True),
    ("iou = (inter + smooth) / (union + smooth)", "inter union smooth", False),
    ("iou = (union + smooth) / (inter + smooth)", "inter union smooth", True),
    ("dice = ((2 * inter + smooth) / (union + smooth)).mean()", "inter union smooth", False),
    ("dice = ((inter + smooth) / (union + smooth)).mean()", "inter union smooth", True),
    ("dice_score = 2 * inter / (union + smooth)", "inter union smooth", False),
    ("dice_score = 1 - 2 * inter / (union + smooth)", "inter union smooth", True),
    ("dice_loss = 1 - dice.mean()", "dice", False),
    ("dice_loss = 2 - dice.mean()", "dice", True),
    ("tversky = tp / (tp + alpha * fp + beta * fn)", "tp fp fn alpha beta", False),
    ("tversky = tp / (tp + alpha * fp - beta * fn)", "tp fp fn alpha beta", True),
    ("precision = tp / (tp + fp)", "tp fp", False),
    ("precision = tp / (tp - fp)", "tp fp", True),
    ("recall = tp / (tp + fn)", "tp fn", False),
    ("recall = fn / (tp + fn)", "tp fn", True),
    ("f1 = 2 * (precision * recall) / (precision + recall)", "precision recall", False),
    ("f1 = (precision * recall) / (precision + recall)", "precision recall", True),
    ("lt = torch.max(box1[:, :2], box2[:, :2])", "box1 box2", False),
    ("lt = torch.min(box1[:, :2], box2[:, :2])", "box1 box2", True),
    ("rb = torch.min(box1[:, None, 2:], box2[:, 2:])", "box1 box2", False),
    ("rb = torch.max(box1[:, None, 2:], box2[:, 2:])", "box1 box2", True),
    ("area1 = (box1[:, 2] - box1[:, 0]) * (box1[:, 3] - box1[:, 1])", "box1", False),
    ("area1 = (box1[:, 2] - box1[:, 0]) * (box1[:, 3] - box1[:, 0])", "box1", True),
    (
        "c2 = ((torch.max(box1[:, 2:], box2[:, 2:]) - torch.min(box1[:, :2], box2[:, :2])) ** 2).sum(1)",
        "box1 box2",
        False,
    ),
    (
        "c2 = ((torch.max(box1[:, 2:], box2[:, 2:]) - torch.max(box1[:, :2], box2[:, :2])) ** 2).sum(1)",
        "box1 box2",
        True,
    ),
    ("rho2 = ((box1[:, :2] + box1[:, 2:] - box2[:, :2] - box2[:, 2:]) ** 2).sum(1) / 4", "box1 box2", False),
    ("rho2 = ((box1[:, :2] + box1[:, 2:] - box2[:, :2] - box2[:, 2:]) ** 2).sum(1) / 2", "box1 box2", True),
    ("v = (4 / math.pi**2) * (torch.atan(w2 / h2) - torch.atan(w1 / h1)) ** 2", "w1 h1 w2 h2", False),
    ("v = (4 / math.pi) * (torch.atan(w2 / h2) - torch.atan(w1 / h1)) ** 2", "w1 h1 w2 h2", True),
    ("alpha = v / (1 - iou + v + 1e-7)", "v iou", False),
    ("alpha = v / (1 + iou + v)", "v iou", True),
    ("giou = iou - (hull - union) / hull", "iou hull union", False),
    ("giou = iou - (hull - union) / union", "iou hull union", True),
    ("diou = iou - rho2 / c2", "iou rho2 c2", False),
    ("diou = iou + rho2 / c2", "iou rho2 c2", True),
    ("ciou = iou - (rho2 / c2 + v * alpha)", "iou rho2 c2 v alpha", False),
    ("ciou = iou - rho2 / c2 + v * alpha", "iou rho2 c2 v alpha", True),
    ("cx = (x1 + x2) / 2", "x1 x2", False),
    ("cx = (x2 - x1) / 2", "x1 x2", True),
    ("x2 = cx + 0.5 * w", "cx w", False),
    ("x2 = cx - 0.5 * w", "cx w", True),
    ("dx = (gt_x - anchor_x) / anchor_w", "gt_x anchor_x anchor_w", False),
    ("dx = (gt_x - anchor_x) * anchor_w", "gt_x anchor_x anchor_w", True),
    ("dw = torch.log(gt_w / anchor_w)", "gt_w anchor_w", False),
    ("dw = gt_w / anchor_w", "gt_w anchor_w", True),
    ("p_t = probs * target + (1 - probs) * (1 - target)", "probs target", False),
    ("p_t = probs * target + probs * (1 - target)", "probs target", True),
    ("pt = torch.exp(-ce)", "ce", False),
    ("pt = torch.exp(ce)", "ce", True),
    ("alpha_t = torch.where(target == 1, alpha, 1 - alpha)", "target alpha", False),
    ("alpha_t = alpha * target + alpha * (1 - target)", "target alpha", True),
    ("focal_weight = (1 - pt).abs() ** gamma", "pt_low gamma", False),
    ("loss = (1 - pt) ** gamma * ce", "pt_low gamma ce", False),
    ("loss = (1 - pt ** gamma) * ce", "pt_low gamma ce", True),
    ("modulating_factor = (1 - pt) * gamma", "pt_low gamma", True),
    ("probs = F.softmax(logits, dim=1)", "logits", False),
    ("probs = F.softmax(logits, dim=0)", "logits", True),
    ("probs = torch.softmax(logits / T, dim=-1)", "logits T", False),
    ("probs = torch.softmax(logits * T, dim=-1)", "logits T", True),
    ("log_probs = logits - torch.logsumexp(logits, 1, keepdim=True)", "logits", False),
    ("log_probs = F.softmax(logits, 1)", "logits", True),
    ("bce = F.binary_cross_entropy_with_logits(logits, target)", "logits target", False),
    ("bce = F.binary_cross_entropy_with_logits(torch.sigmoid(logits), target)", "logits target", True),
    ("ce = F.cross_entropy(logits, labels)", "logits labels", False),
    ("ce = F.cross_entropy(F.softmax(logits, 1), labels)", "logits labels", True),
    ("smoothed = one_hot * (1 - smoothing) + smoothing / one_hot.size(1)", "one_hot smoothing", False),
    ("smoothed = one_hot * (1 - smoothing) + smoothing", "one_hot smoothing", True),
    ("effective_num = 1.0 - beta**counts", "counts beta", False),
    ("effective_num = 1.0 - counts**beta", "counts beta", True),
    ("class_weights = counts.sum() / (len(counts) * counts)", "counts", False),
    ("sine = torch.sqrt(1.0 - cosine.pow(2))", "cosine", False),
    ("sine = torch.sqrt(1.0 - cosine)", "cosine", True),
    ("phi = cosine * cos_m - torch.sqrt(1 - cosine**2) * sin_m", "cosine cos_m sin_m", False),
    ("phi = cosine * cos_m + torch.sqrt(1 - cosine**2) * sin_m", "cosine cos_m sin_m", True),
    ("output = s * (one_hot * phi + (1.0 - one_hot) * cosine)", "one_hot phi cosine s", False),
    ("output = s * (one_hot * cosine + (1.0 - one_hot) * phi)", "one_hot phi cosine s", True),
    ("z_norm = z / z.norm(dim=1, keepdim=True)", "z", False),
    ("z_norm = z / z.norm(dim=0, keepdim=True)", "z", True),
    ("sim = torch.matmul(z, z.T) / temperature", "z temperature", False),
    ("sim = torch.matmul(z, z.T) * temperature", "z temperature", True),
    ("pos_mask = (labels[:, None] == labels[None]) & ~torch.eye(len(labels), dtype=torch.bool)", "labels", False),
    ("pos_mask = labels[:, None] != labels[None]", "labels", True),
    ("neg_mask = 1 - same", "same", False),
    ("neg_mask = same * (1 - eye)", "same eye", True),
    ("log_prob = sim - torch.log(exp_logits.sum(1, keepdim=True))", "sim exp_logits", False),
    ("log_prob = sim - exp_logits.sum(1, keepdim=True)", "sim exp_logits", True),
    ("mean_log_prob_pos = (mask * log_prob).sum(1) / mask.sum(1)", "mask log_prob", False),
    ("mean_log_prob_pos = (mask * log_prob).sum(1) / mask.sum()", "mask log_prob", True),
    ("dist = torch.cdist(x, y)", "x y", False),
    ("dist = (x[:, None] + y[None]).pow(2).sum(-1)", "x y", True),
    ("d2 = z.pow(2).sum(1)[:, None] + z.pow(2).sum(1) - 2 * z @ z.T", "z", False),
    ("d2 = z.pow(2).sum(1)[:, None] + z.pow(2).sum(1) + 2 * z @ z.T", "z", True),
    ("sq_dist = (z.unsqueeze(1) - z.unsqueeze(0)).pow(2).sum(2)", "z", False),
    ("sq_dist = (z.unsqueeze(1) - z.unsqueeze(0)).abs().sum(2)", "z", True),
    ("loss = F.relu(dist_ap - dist_an + m).mean()", "dist_ap dist_an m", False),
    ("loss = F.relu(dist_an - dist_ap + m).mean()", "dist_ap dist_an m", True),
    ("kernel = torch.exp(-d2 / (2 * sigma**2))", "d2 sigma", False),
    ("kernel = torch.exp(d2 / (2 * sigma**2))", "d2 sigma", True),
    ("mmd = xx.mean() + yy.mean() - 2 * xy.mean()", "xx:bigger yy:bigger xy", False),
    ("mmd = xx.mean() + yy.mean() - xy.mean()", "xx:bigger yy:bigger xy", True),
    ("chamfer = dist.min(2)[0].mean() + dist.min(1)[0].mean()", "dist:d_pair", False),
    ("chamfer = dist.min(2)[0].mean() + dist.min(2)[0].mean()", "dist:d_pair", True),
    ("zc = z - z.mean(0)", "z", False),
    ("zc = z + z.mean(0)", "z", True),
    ("cov = torch.cov(z.T)", "z", False),
    ("cov = torch.cov(z)", "z", True),
    ("cov = z.T @ z / (z.shape[0] - 1)", "z", True),
    ("corr = z1.T @ z2 / z1.shape[0]", "z1 z2", False),
    ("corr = z1.T @ z2 / z1.shape[1]", "z1 z2", True),
    ("on_diag = (torch.diagonal(corr) - 1).pow(2).sum()", "corr:signed", False),
    ("on_diag = (torch.diagonal(corr) + 1).pow(2).sum()", "corr:signed", True),
    ("off_diag = corr.pow(2).sum() - torch.diagonal(corr).pow(2).sum()", "corr:signed", False),
    ("off_diag = corr.sum() - torch.diagonal(corr).sum()", "corr:signed", True),
    ("std_x = torch.sqrt(x.var(dim=0) + 1e-4)", "x", False),
    ("std_x = x.var(dim=0) + 1e-4", "x", True),
    (
        "gram = torch.einsum('bchw,bdhw->bcd', feat, feat) / (feat.shape[1] * feat.shape[2] * feat.shape[3])",
        "feat",
        False,
    ),
    ("gram = torch.einsum('bchw,bdhw->bcd', feat, feat) / (feat.shape[1] ** 2)", "feat", True),
    ("sigma1_sq = blur_xx - mu1**2", "blur_xx mu1", False),
    ("sigma1_sq = blur_xx - mu1", "blur_xx mu1", True),
    (
        "ssim_map = ((2 * mu1 * mu2 + C1) * (2 * sigma12 + C2)) / ((mu1**2 + mu2**2 + C1) * (sigma1_sq "
        "+ sigma2_sq + C2))",
        "mu1 mu2 sigma12 sigma1_sq sigma2_sq C1 C2",
        False,
    ),
    (
        "ssim_map = ((2 * mu1 * mu2 + C1) * (sigma12 + C2)) / ((mu1**2 + mu2**2 + C1) * (sigma1_sq + sigma2_sq + C2))",
        "mu1 mu2 sigma12 sigma1_sq sigma2_sq C1 C2",
        True,
    ),
    ("ssim_loss = (1 - ssim).mean() / 2", "ssim", False),
    ("ssim_loss = (1 + ssim).mean() / 2", "ssim", True),
    ("dy = img[:, :, 1:] - img[:, :, :-1]", "img", False),
    ("dy = img[:, :, 1:] + img[:, :, :-1]", "img", True),
    ("weights_x = torch.exp(-grad_img_x.abs().mean(1, keepdim=True))", "grad_img_x", False),
    ("weights_x = torch.exp(grad_img_x.abs().mean(1, keepdim=True))", "grad_img_x", True),
    ("psnr = 10 * torch.log10(max_val**2 / mse)", "mse max_val", False),
    ("psnr = 20 * torch.log10(max_val**2 / mse)", "mse max_val", True),
    ("mae = F.l1_loss(pred, target)", "pred:probs target", False),
    ("mae = (pred - target).mean()", "pred:probs target", True),
    ("log_diff = torch.log(pred) - torch.log(gt)", "pred:probs gt:probs", False),
    ("log_diff = torch.log(pred) + torch.log(gt)", "pred:probs gt:probs", True),
    ("silog = torch.sqrt((log_diff**2).mean() - lam * log_diff.mean() ** 2)", "log_diff lam", False),
    ("silog = torch.sqrt((log_diff**2).mean() + lam * log_diff.mean() ** 2)", "log_diff lam", True),
    ("depth = 1.0 / (disp + 1e-8)", "disp", False),
    ("depth = 1.0 - disp", "disp", True),
    ("trace = R_pred.mul(R_gt).sum((1, 2))", "R_pred R_gt", False),
    ("trace = R_pred.add(R_gt).sum((1, 2))", "R_pred R_gt", True),
    ("angle = torch.acos(((trace - 1) / 2).clamp(-1, 1))", "trace", False),
    ("angle = torch.acos(((trace + 1) / 2).clamp(-1, 1))", "trace", True),
    ("exp_x = (heatmap.sum(1) * grid_x).sum(1)", "heatmap grid_x", False),
    ("exp_x = (heatmap.sum(1) + grid_x).sum(1)", "heatmap grid_x", True),
    ("loss_real = F.relu(1 - d_real).mean()", "d_real", False),
    ("loss_real = F.relu(1 + d_real).mean()", "d_real", True),
    ("loss_fake = F.relu(1 + d_fake).mean()", "d_fake", False),
    ("loss_fake = F.relu(1 - d_fake)", "d_fake", True),
    ("d_loss = d_fake.mean() - d_real.mean()", "d_real d_fake", False),
    ("d_loss = d_real.mean() - d_fake.mean()", "d_real d_fake", True),
    ("g_loss = -d_fake.mean()", "d_fake", False),
    ("g_loss = d_fake.mean()", "d_fake", True),
    ("interpolates = torch.lerp(fake, real, alpha.expand_as(real))", "real fake alpha:eps4", False),
    ("interpolates = alpha * real + (1 + alpha) * fake", "real fake alpha:eps4", True),
    ("gradient_penalty = ((gradients.norm(2, dim=1) - 1) ** 2).mean()", "gradients", False),
    ("gradient_penalty = gradients.norm(2, dim=1) - 1", "gradients", True),
    ("grad_norm = gradients.flatten(1).norm(1, dim=1)", "gradients:img", True),
    ("entropy = torch.distributions.Categorical(probs=p).entropy()", "p", False),
    ("entropy = (p * torch.log(1 - p)).sum(1)", "p", True),
    ("m = 0.5 * (p + q)", "p q", False),
    ("m = p + q", "p q", True),
    ("mixed_x = lam * x + (1 - lam) * x.flip(0)", "x lam", False),
    ("mixed_x = lam * x + (1 + lam) * x.flip(0)", "x lam", True),
    (
        "kd_loss = F.kl_div(F.log_softmax(student_logits / T, 1), F.softmax(teacher_logits / T, 1), "
        "reduction='batchmean') * T**2",
        "student_logits teacher_logits T",
        False,
    ),
    (
        "kd_loss = F.kl_div(F.softmax(student_logits / T, 1), F.softmax(teacher_logits / T, 1), "
        "reduction='batchmean') * T**2",
        "student_logits teacher_logits T",
        True,
    ),
    ("masked_mean = torch.masked_select(err, mask.bool()).mean()", "err mask", False),
    ("masked_mean = err.sum() / mask.sum()", "err mask", True),
    ("masked_mean = err.masked_fill(mask == 0, 0).sum() / mask.sum()", "err mask", False),
    ("laplacian = torch.diag(adj.sum(1)) - adj", "adj", False),
    ("laplacian = torch.diag(adj.sum(1)) + adj", "adj", True),
]
MADE["bigger"] = lambda: torch.rand(5, 5) + 2
MADE["signed"] = lambda: torch.randn(5, 5)
MADE["inter4"] = lambda: torch.rand(4)
MADE["pt_low"] = lambda: torch.rand(8) * 0.8 + 0.1
MADE["gt"] = MADE["probs"]


def found(tmp_path: Path, code: str, given: str, last: str = "", unnamed: bool = False) -> list[str]:
    pairs = [(each.partition(":")[0], each.partition(":")[2] or each) for each in given.split()]
    names = [{"inter4": "inter", "pt_low": "pt"}.get(name, name) for name, _ in pairs]
    file = tmp_path / "mine.py"
    last = last or code.partition(" = ")[0]
    file.write_text(f"{HEAD}\n\ndef loss_function({', '.join(names)}):\n    {code}\n    return {last}.sum() * 1\n")
    spec = importlib.util.spec_from_file_location("mine", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def example(seed: int) -> list[Tensor | float]:
        torch.manual_seed(seed)
        return [
            value.double() if isinstance(value, Tensor) and value.is_floating_point() else value
            for value in (MADE[kind]() for _, kind in pairs)
        ]

    subject = SimpleNamespace(
        build=lambda: module.loss_function,
        example=example,
        call=lambda criterion, *values: criterion(*values),
        spec=SimpleNamespace(way=SimpleNamespace(inside=True)),
    )
    cases = [each for each in promised.cases_of(subject) if each.made.name == last]
    assert cases or unnamed, "no quantity has this name and these parts"
    return [each.what for each in promised.differences(cases)]


@pytest.mark.parametrize(("code", "given", "faulty"), ROWS)
def test_quantity(tmp_path: Path, code: str, given: str, faulty: bool) -> None:
    assert bool(found(tmp_path, code, given)) == faulty


def test_a_variable_made_of_itself_is_something_else(tmp_path: Path) -> None:
    code = "sim = z @ z.T\n    sim = sim.masked_fill(torch.eye(5, dtype=torch.bool), -1e9)"
    assert found(tmp_path, code, "z", unnamed=True) == []


def test_errors_that_are_masked_before_need_no_mask(tmp_path: Path) -> None:
    """The mask is not drawn anew: the errors would be of another one."""
    code = "err = err.masked_fill(mask == 0, 0)\n    masked_mean = err.sum() / mask.sum()"
    assert found(tmp_path, code, "err mask", "masked_mean") == []
