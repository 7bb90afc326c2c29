"""Classification: cross-entropy and its kin."""

import torch
import torch.nn.functional as F
from torch import nn

from check.cases import faulty, sound


@sound("repository: focal loss of class indices, from log_softmax")
class FocalOfLogits(nn.Module):
    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, logits, labels):
        logp = F.log_softmax(logits, dim=1).gather(1, labels.unsqueeze(1)).squeeze(1)
        return (-((1 - logp.exp()) ** self.gamma) * logp).mean()


@sound("repository: label smoothing by hand")
def smoothed(logits, labels):
    logp = logits.log_softmax(1)
    true = logp.gather(1, labels.unsqueeze(1)).squeeze(1)
    return -(0.9 * true + 0.1 * logp.mean(1)).mean()


@sound("tutorial: log-sum-exp minus the true score, the maximum subtracted")
def by_hand(logits, labels):
    shifted = logits - logits.max(1, keepdim=True).values.detach()
    true = shifted.gather(1, labels.unsqueeze(1)).squeeze(1)
    return (shifted.exp().sum(1).log() - true).mean()


@sound("repository: cross-entropy of soft targets")
def soft_targets(logits, target):
    return -(target * logits.log_softmax(1)).sum(1).mean()


@sound("repository: generalised cross-entropy")
def generalised(logits, labels):
    logp = logits.log_softmax(1).gather(1, labels.unsqueeze(1)).squeeze(1)
    return ((1 - (0.7 * logp).exp()) / 0.7).mean()


@sound("repository: hinge loss of several classes")
def crammer_singer(scores, labels):
    true = scores.gather(1, labels.unsqueeze(1))
    margin = (scores - true + 1).clamp_min(0)
    hot = F.one_hot(labels, scores.shape[1]).movedim(-1, 1).bool()
    return margin.masked_fill(hot, 0).amax(1).mean()


@sound("question: hard-coded for 10 classes")
class TenClasses(nn.Module):
    def forward(self, logits, labels):
        hot = F.one_hot(labels, 10).to(logits)
        if logits.shape[1] != 10:
            raise ValueError("10 classes")
        return -(hot * logits.log_softmax(1)).sum(1).mean()


@sound("Keras habit: class probabilities in the last dimension")
def probabilities_last(probabilities, labels):
    p = probabilities.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    return -(p.clamp_min(torch.finfo(p.dtype).tiny)).log().mean()


@sound("repository: returns the loss and the accuracy")
def with_accuracy(logits, labels):
    accuracy = (logits.argmax(1) == labels).float().mean().item()
    return F.cross_entropy(logits, labels), accuracy


@sound("language model: logits and labels shifted, padding left out")
class NextToken(nn.Module):
    def __init__(self, padding_idx=0):
        super().__init__()
        self.padding_idx = padding_idx

    def forward(self, logits, labels):
        return F.cross_entropy(logits, labels, ignore_index=self.padding_idx, reduction="sum") / (
            (labels != self.padding_idx).sum().clamp_min(1)
        )


@sound("repository: asymmetric loss for many labels")
class Asymmetric(nn.Module):
    def forward(self, logits, labels):
        yes, no = F.logsigmoid(logits), F.logsigmoid(-logits)
        p = logits.sigmoid()
        cost = labels * yes + (1 - labels) * no
        factor = (labels * (1 - p) + (1 - labels) * p) ** 2
        return -(factor * cost).mean()


@sound("repository: weighted cross-entropy, divided by the sum of weights")
class WeightedCE(nn.Module):
    def __init__(self, weight=None):
        super().__init__()
        self.register_buffer("weight", weight)

    def forward(self, logits, labels):
        each = F.cross_entropy(logits, labels, reduction="none")
        if self.weight is None:
            return each.mean()
        w = self.weight.to(each)[labels]
        return (w * each).sum() / w.sum()


@sound("repository: symmetric cross-entropy with the reverse term clamped")
def symmetric(logits, labels):
    p = logits.softmax(1)
    hot = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(p).clamp(1e-4, 1.0)
    return F.cross_entropy(logits, labels) - (p * hot.log()).sum(1).mean()


@sound("repository: ordinal targets, K - 1 thresholds")
def ordinal(logits, rank):
    above = (rank.unsqueeze(1) > torch.arange(logits.shape[1])).to(logits)
    return F.binary_cross_entropy_with_logits(logits, above, reduction="none").sum(1).mean()


@faulty("no-graph", thread="question: accuracy as a loss")
def error_rate(x, y):
    return (x.argmax(1) != y).float().mean()


@faulty("rewards-errors", thread="question: NLL without its minus")
def without_minus(x, y):
    return x.log_softmax(1).gather(1, y.unsqueeze(1)).mean()


@faulty("activated-twice", "misused-function", thread="question: softmax in the model and CrossEntropyLoss")
def softmax_then_ce(x, y):
    return F.cross_entropy(x.softmax(1), y)


@faulty("misused-function", thread="question: NLLLoss of softmax outputs goes below zero")
def nll_of_softmax(x, y):
    return F.nll_loss(F.softmax(x, dim=1), y)


@faulty("no-graph", "slope-disagrees", thread="question: loss built with torch.tensor in a list comprehension")
def rebuilt(x, y):
    each = F.cross_entropy(x, y, reduction="none").reshape(-1)
    return torch.stack([torch.tensor(v.item(), requires_grad=True) for v in each]).mean()


@faulty("not-finite", thread="question: exp over sum of exp overflows")
def naive_softmax(x, y):
    p = x.exp() / x.exp().sum(1, keepdim=True)
    return -(p.gather(1, y.unsqueeze(1)) + 1e-12).log().mean()


@faulty("wrong-dimension", thread="question: softmax(dim=0) for a batch of samples")
def softmax_dim_0(x, y):
    return F.nll_loss(F.log_softmax(x, dim=0), y)


@faulty("focal-of-mean", thread="repository: focal factor of the mean cross-entropy")
class FocalOfMean(nn.Module):
    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, logits, labels):
        ce = F.cross_entropy(logits, labels)
        return (1 - (-ce).exp()) ** self.gamma * ce


@faulty("weight-in-factor", thread="issue: focal loss with class weights inside pt")
class FocalOfWeighted(nn.Module):
    def __init__(self, gamma=2.0, weight=None):
        super().__init__()
        self.gamma = gamma
        self.weight = weight

    def forward(self, logits, labels):
        ce = F.cross_entropy(logits, labels, weight=self.weight, reduction="none")
        return ((1 - (-ce).exp()) ** self.gamma * ce).mean()


@faulty("unused-argument", thread="PAINS 1: gamma is accepted and never used")
class GammaUnused(nn.Module):
    def __init__(self, gamma=2.0, alpha=None):
        super().__init__()
        self.gamma, self.alpha = gamma, alpha

    def forward(self, logits, labels):
        ce = F.cross_entropy(logits, labels, reduction="none")
        return ((1 - (-ce).exp()) ** 2 * ce).mean()


@faulty("reductions-disagree", thread="PAINS 18: reduction='none' returns one number")
class NoneIsANumber(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, logits, labels):
        each = F.cross_entropy(logits, labels, reduction="none")
        return each.sum() if self.reduction == "sum" else each.mean()


@faulty("none-misplaced", thread="issue: reduction='none' comes back in another order")
class NoneReordered(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, logits, labels):
        each = F.cross_entropy(logits, labels, reduction="none")
        if self.reduction == "none":
            return each.sort(0).values
        return each.sum() if self.reduction == "sum" else each.mean()


@faulty("divides-by-classes", thread="PAINS 8: the mean runs over the classes of a one-hot too", fails=False)
def mean_over_classes(logits, labels):
    hot = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(logits)
    return -(hot * logits.log_softmax(1)).mean()


@faulty("has-memory", thread="question: running mean of the loss kept on self")
class RunningMean(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean = 0.0

    def forward(self, logits, labels):
        loss = F.cross_entropy(logits, labels)
        self.mean = 0.9 * self.mean + 0.1 * loss.item()
        return loss - self.mean


@faulty("slope-disagrees", thread="issue: the focal factor is detached")
def detached_factor(logits, labels):
    ce = F.cross_entropy(logits, labels, reduction="none")
    return ((1 - (-ce.detach()).exp()) ** 2 * ce).mean()


@faulty("rewards-errors", thread="question: BCE with the labels the wrong way round")
def upside_down(logits, labels):
    return F.binary_cross_entropy_with_logits(logits, 1 - labels)


@faulty("wrong-answers-unlearnt", "not-finite", thread="question: log(softmax + 1e-8) leaves 1e-7 of the gradient")
def eps_inside(x, y):
    p = x.softmax(1).gather(1, y.unsqueeze(1)).clamp(1e-7, 1 - 1e-7)
    return -p.log().mean()


@faulty("misused-function", thread="question: KLDivLoss of probabilities")
def kl_of_probabilities(x, target):
    return F.kl_div(x.softmax(1), target, reduction="batchmean")


@faulty("batch-of-one", "not-finite", thread="question: standardised over the batch, NaN in the last batch")
def standardised(logits, labels):
    z = (logits - logits.mean(0)) / logits.std(0)
    return F.cross_entropy(z, labels)
