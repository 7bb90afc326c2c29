"""Losses of numbers, densities, boxes and embeddings in plain PyTorch; each equals the catalogue's loss of its name."""

import math

import torch
import torch.nn.functional as F


def mse_loss(pred, target):
    """Mean squared error."""
    return ((pred - target) ** 2).mean()


def l1_loss(pred, target):
    """Mean absolute error."""
    return (pred - target).abs().mean()


def smooth_l1_loss(pred, target, beta=1.0):
    """Smooth L1: quadratic below beta, linear beyond."""
    error = (pred - target).abs()
    return torch.where(error < beta, 0.5 * error**2 / beta, error - 0.5 * beta).mean()


def huber_loss(pred, target, delta=1.0):
    """Huber loss: quadratic below delta, linear with slope delta beyond."""
    error = (pred - target).abs()
    return torch.where(error < delta, 0.5 * error**2, delta * (error - 0.5 * delta)).mean()


def log_cosh_loss(pred, target):
    """Log-cosh of the error."""
    error = pred - target
    return (error + F.softplus(-2 * error) - math.log(2)).mean()


def charbonnier_loss(pred, target, eps=1e-3):
    """Charbonnier loss."""
    return torch.sqrt((pred - target) ** 2 + eps**2).mean()


def gaussian_nll_loss(mean, target, var):
    """Gaussian negative log-likelihood with a predicted variance."""
    var = var.clamp(min=1e-6)
    return (0.5 * (torch.log(var) + (mean - target) ** 2 / var)).mean()


def gaussian_nll_of_log_var(mean, target, log_var):
    """Gaussian negative log-likelihood with a predicted log-variance."""
    return (0.5 * (log_var + (mean - target) ** 2 * torch.exp(-log_var))).mean()


def beta_nll_loss(mean, var, target, beta=0.5):
    """Gaussian negative log-likelihood, weighted by the detached variance to the power beta."""
    nll = 0.5 * (torch.log(var) + (mean - target) ** 2 / var)
    return (nll * var.detach() ** beta).mean()


def laplace_nll_loss(loc, scale, target):
    """Laplace negative log-likelihood."""
    return (torch.log(2 * scale) + (target - loc).abs() / scale).mean()


def student_t_nll_loss(loc, scale, target, df=3.0):
    """Student-t negative log-likelihood."""
    z = (target - loc) / scale
    constant = math.lgamma(df / 2) - math.lgamma((df + 1) / 2) + 0.5 * math.log(df * math.pi)
    return (constant + torch.log(scale) + 0.5 * (df + 1) * torch.log1p(z**2 / df)).mean()


def poisson_nll_loss(log_rate, target):
    """Poisson negative log-likelihood of a log-rate."""
    return (torch.exp(log_rate) - target * log_rate).mean()


def crps_loss(mean, std, target):
    """Continuous ranked probability score of a Gaussian."""
    z = (target - mean) / std
    pdf = torch.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    cdf = 0.5 * (1 + torch.erf(z / math.sqrt(2)))
    return (std * (z * (2 * cdf - 1) + 2 * pdf - 1 / math.sqrt(math.pi))).mean()


def quantile_loss(pred, target, quantile=0.9):
    """Pinball loss of one quantile."""
    error = target - pred
    return torch.maximum(quantile * error, (quantile - 1) * error).mean()


def quantiles_loss(pred, target, quantiles=(0.1, 0.5, 0.9)):
    """Pinball loss of several quantiles: pred (N, 3), target (N,)."""
    total = 0.0
    for at, q in enumerate(quantiles):
        error = target - pred[:, at]
        total = total + torch.max((q - 1) * error, q * error).mean()
    return total / len(quantiles)


def expectile_loss(pred, target, tau=0.7):
    """Expectile loss: squared errors, weighted by tau where the target is above the prediction."""
    error = target - pred
    weight = torch.where(error > 0, tau, 1 - tau)
    return (weight * error**2).mean()


def smape_loss(pred, target):
    """Symmetric mean absolute percentage error."""
    scale = (pred.abs() + target.abs()).clamp(min=1e-8)
    return (2 * (pred - target).abs() / scale).mean()


def msle_loss(pred, target):
    """Mean squared logarithmic error of numbers above -1."""
    return (torch.log1p(pred) - torch.log1p(target)).square().mean()


def rmse_loss(pred, target, eps=1e-8):
    """Root mean squared error."""
    return torch.sqrt(((pred - target) ** 2).mean() + eps)


def silog_loss(pred, target, variance_focus=0.85):
    """Scale-invariant logarithmic loss of depths."""
    d = torch.log(pred) - torch.log(target)
    return torch.sqrt((d**2).mean() - variance_focus * d.mean() ** 2 + 1e-8)


def wing_loss(pred, target, width=10.0, curvature=2.0):
    """Wing loss of landmarks."""
    error = (pred - target).abs()
    constant = width - width * math.log(1 + width / curvature)
    return torch.where(error < width, width * torch.log(1 + error / curvature), error - constant).mean()


def cauchy_loss(pred, target, scale=1.0):
    """Cauchy (Lorentzian) loss."""
    return torch.log1p(0.5 * ((pred - target) / scale) ** 2).mean()


def welsch_loss(pred, target, scale=1.0):
    """Welsch loss."""
    return (1 - torch.exp(-0.5 * ((pred - target) / scale) ** 2)).mean()


def tukey_loss(pred, target, c=4.685):
    """Tukey's biweight."""
    inside = (1 - ((pred - target) / c) ** 2).clamp(min=0)
    return (c**2 / 6 * (1 - inside**3)).mean()


def pearson_loss(pred, target, eps=1e-8):
    """One minus the correlation of prediction and target."""
    x = pred - pred.mean()
    y = target - target.mean()
    return 1 - (x * y).sum() / torch.sqrt((x**2).sum() * (y**2).sum() + eps)


def concordance_loss(pred, target, eps=1e-8):
    """One minus Lin's concordance correlation coefficient."""
    x, y = pred - pred.mean(), target - target.mean()
    covariance = (x * y).mean()
    gap = (pred.mean() - target.mean()) ** 2
    return 1 - 2 * covariance / ((x**2).mean() + (y**2).mean() + gap + eps)


def relative_lp_loss(pred, target, eps=1e-8):
    """Relative L2 error of each sample."""
    error = (pred - target).flatten(1).norm(dim=1)
    return (error / (target.flatten(1).norm(dim=1) + eps)).mean()


def masked_l1_loss(pred, target, mask):
    """Mean absolute error where the mask is 1."""
    loss = (pred - target).abs() * mask
    return loss.sum() / mask.sum().clamp(min=1)


def kl_div(log_probs, target):
    """KL divergence of log-probabilities (N, C) from a distribution (N, C), per sample."""
    return (torch.xlogy(target, target) - target * log_probs).sum(dim=1).mean()


def distillation_loss(student, teacher, temperature=4.0):
    """KL divergence of a student's from a teacher's softened logits, times the temperature squared."""
    log_p = F.log_softmax(student / temperature, dim=1)
    q = F.softmax(teacher / temperature, dim=1)
    return F.kl_div(log_p, q, reduction="batchmean") * temperature**2


def gaussian_kl_loss(mu, log_var):
    """KL divergence of a diagonal Gaussian from the standard normal, summed over dimensions."""
    return -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(dim=1).mean()


def triplet_margin_loss(anchor, positive, negative, margin=1.0):
    """Triplet margin loss of embeddings (N, D)."""
    near = (anchor - positive).norm(dim=1)
    far = (anchor - negative).norm(dim=1)
    return F.relu(near - far + margin).mean()


def cosine_embedding_loss(input1, input2, target, margin=0.0):
    """Cosine embedding loss; target is 1 for similar pairs and -1 for others."""
    cosine = F.cosine_similarity(input1, input2, dim=1)
    return torch.where(target == 1, 1 - cosine, (cosine - margin).clamp(min=0)).mean()


def margin_ranking_loss(input1, input2, target, margin=0.5):
    """Margin ranking loss; target is 1 if the first should rank higher, else -1."""
    return (-target * (input1 - input2) + margin).clamp(min=0).mean()


def hinge_embedding_loss(distance, target, margin=1.0):
    """Hinge embedding loss of distances; target is 1 or -1."""
    return torch.where(target == 1, distance, (margin - distance).clamp(min=0)).mean()


def info_nce_loss(z1, z2, temperature=0.2):
    """InfoNCE of two views (N, D): the views of a sample are positives, the other samples negatives."""
    z1 = F.normalize(z1, dim=1)
    z2 = F.normalize(z2, dim=1)
    logits = z1 @ z2.T / temperature
    labels = torch.arange(len(z1), device=z1.device)
    return 0.5 * (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels))


def box_iou_loss(pred, target, eps=1e-7):
    """IoU loss of boxes (N, 4), x1, y1, x2, y2."""
    top = torch.max(pred[:, :2], target[:, :2])
    bottom = torch.min(pred[:, 2:], target[:, 2:])
    sides = (bottom - top).clamp(min=0)
    overlap = sides[:, 0] * sides[:, 1]
    area_p = (pred[:, 2] - pred[:, 0]) * (pred[:, 3] - pred[:, 1])
    area_t = (target[:, 2] - target[:, 0]) * (target[:, 3] - target[:, 1])
    return (1 - overlap / (area_p + area_t - overlap + eps)).mean()


def giou_loss(pred, target, eps=1e-7):
    """Generalized IoU loss of boxes (N, 4), x1, y1, x2, y2."""
    sides = (torch.min(pred[:, 2:], target[:, 2:]) - torch.max(pred[:, :2], target[:, :2])).clamp(min=0)
    overlap = sides[:, 0] * sides[:, 1]
    area_p = (pred[:, 2] - pred[:, 0]) * (pred[:, 3] - pred[:, 1])
    area_t = (target[:, 2] - target[:, 0]) * (target[:, 3] - target[:, 1])
    union = area_p + area_t - overlap
    hull = torch.max(pred[:, 2:], target[:, 2:]) - torch.min(pred[:, :2], target[:, :2])
    enclosing = hull[:, 0] * hull[:, 1]
    giou = overlap / (union + eps) - (enclosing - union) / (enclosing + eps)
    return (1 - giou).mean()


def diou_loss(pred, target, eps=1e-7):
    """Distance IoU loss of boxes (N, 4), x1, y1, x2, y2."""
    sides = (torch.min(pred[:, 2:], target[:, 2:]) - torch.max(pred[:, :2], target[:, :2])).clamp(min=0)
    overlap = sides[:, 0] * sides[:, 1]
    area_p = (pred[:, 2] - pred[:, 0]) * (pred[:, 3] - pred[:, 1])
    area_t = (target[:, 2] - target[:, 0]) * (target[:, 3] - target[:, 1])
    hull = torch.max(pred[:, 2:], target[:, 2:]) - torch.min(pred[:, :2], target[:, :2])
    between = (pred[:, :2] + pred[:, 2:] - target[:, :2] - target[:, 2:]) / 2
    distance = (between**2).sum(1) / ((hull**2).sum(1) + eps)
    return (1 - overlap / (area_p + area_t - overlap + eps) + distance).mean()
