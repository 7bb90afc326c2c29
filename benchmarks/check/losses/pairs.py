"""Embeddings, two views, teachers, generators: losses whose target is another tensor of the model, or none."""

import torch
import torch.nn.functional as F
from torch import nn

from check.cases import faulty, sound


@sound("repository: InfoNCE of two views")
def info_nce(first, second):
    a, b = F.normalize(first, dim=1), F.normalize(second, dim=1)
    scores = a @ b.T / 0.2
    return F.cross_entropy(scores, torch.arange(len(scores)))


@sound("repository: supervised contrastive, labels optional")
class SupCon(nn.Module):
    def forward(self, embeddings, labels=None):
        z = F.normalize(embeddings, dim=1)
        scores = z @ z.T / 0.5
        n = len(z)
        same = torch.eye(n, dtype=torch.bool) if labels is None else labels.unsqueeze(0) == labels.unsqueeze(1)
        self_ = torch.eye(n, dtype=torch.bool)
        same = same & ~self_
        logp = scores - scores.masked_fill(self_, -1e9).logsumexp(1, keepdim=True)
        count = same.sum(1).clamp_min(1)
        return -((logp * same).sum(1) / count).mean()


@sound("repository: Barlow Twins, standardised over the batch")
def barlow(first, second):
    n = len(first)
    a = (first - first.mean(0)) / (first.std(0) + 1e-4)
    b = (second - second.mean(0)) / (second.std(0) + 1e-4)
    c = a.T @ b / n
    off = c - torch.diag(torch.diag(c))
    return (torch.diag(c) - 1).square().sum() + 0.005 * off.square().sum()


@sound("repository: distillation with a temperature")
def distillation(student, teacher):
    t = 3.0
    return F.kl_div((student / t).log_softmax(1), (teacher / t).softmax(1), reduction="batchmean") * t * t


@sound("repository: distillation and cross-entropy")
def distillation_with_labels(student, teacher, labels):
    soft = F.kl_div(student.log_softmax(1), teacher.softmax(1), reduction="batchmean")
    return 0.5 * soft + 0.5 * F.cross_entropy(student, labels)


@sound("GAN: non-saturating loss of the generator, one tensor")
def generator(fake):
    return F.softplus(-fake).mean()


@sound("GAN: hinge loss of the discriminator")
def discriminator(real, fake):
    return (1 - real).clamp_min(0).mean() + (1 + fake).clamp_min(0).mean()


@sound("VAE: KL to a standard normal")
def kl_to_normal(mu, logvar):
    return -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(1).mean()


@sound("repository: total variation of images, one tensor")
def total_variation(image):
    return (image[..., 1:, :] - image[..., :-1, :]).abs().mean() + (image[..., 1:] - image[..., :-1]).abs().mean()


@sound("repository: triplet with a margin")
def triplet(anchor, positive, negative):
    near, far = (anchor - positive).square().sum(1), (anchor - negative).square().sum(1)
    return (near - far + 1.0).clamp_min(0).mean()


@sound("repository: cosine embedding of pairs, 1 and -1")
def cosine_pairs(a, b, y):
    cos = F.cosine_similarity(a, b, dim=1)
    return torch.where(y > 0, 1 - cos, (cos - 0.2).clamp_min(0)).mean()


@sound("repository: BYOL with a stop-gradient for the target")
def byol(online, target):
    return (2 - 2 * F.cosine_similarity(online, target.detach(), dim=-1)).mean()


@faulty("rewards-errors", thread="question: positive and negative of a triplet swapped")
def triplet_swapped(anchor, positive, negative):
    near, far = (anchor - positive).square().sum(1), (anchor - negative).square().sum(1)
    return (far - near + 1.0).clamp_min(0).mean()


@faulty("not-finite", thread="question: NaN at identical embeddings: sqrt of a distance of 0")
def euclidean_triplet(anchor, positive, negative):
    near = (anchor - positive).square().sum(1).sqrt()
    far = (anchor - negative).square().sum(1).sqrt()
    return (near - far + 1.0).clamp_min(0).mean()


@faulty("no-graph", thread="question: both sides detached")
def byol_both_detached(online, target):
    return (2 - 2 * F.cosine_similarity(online.detach(), target.detach(), dim=-1)).mean().requires_grad_()


@faulty("misused-function", thread="question: kl_div of two softmaxes")
def distillation_of_softmax(student, teacher):
    return F.kl_div(student.softmax(1), teacher.softmax(1), reduction="batchmean")


@faulty("not-finite", thread="question: exp of similarities overflows without normalising")
def info_nce_overflow(first, second):
    scores = (first @ second.T / 0.01).exp()
    return -(scores.diag() / scores.sum(1)).log().mean()
