"""Losses of which trial calls conclude nothing: what they claim to be is tested all the same."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import losskit
from losskit.checker.spec import Unsure


def claims_of(loss):
    try:
        return [each.what for each in losskit.check(loss, select=["contradicts-claim"])]
    except Unsure:
        return []


def all_triplets(guarded):
    def batch_all_triplet(embeddings, labels, margin=0.3):
        distance = torch.cdist(embeddings, embeddings)
        same = labels[:, None] == labels
        own = torch.eye(len(labels), dtype=torch.bool)
        valid = (same & ~own)[:, :, None] & ~same[:, None, :]
        losses = F.relu(distance[:, :, None] - distance[:, None, :] + margin)[valid]
        count = (losses > 0).sum()
        return losses.sum() / (count.clamp(min=1) if guarded else count)

    return batch_all_triplet


def log_depth(selected):
    def silog(pred, gt):
        """Scale-invariant logarithmic error of depth; 0 = no measurement in gt."""
        seen = gt > 0
        if selected:
            error = pred[seen].log() - gt[seen].log()
            return error.square().mean() - 0.5 * error.mean() ** 2
        error = (pred.log() - gt.log()) * seen
        return error.square().sum() / seen.sum() - 0.5 * (error.sum() / seen.sum()) ** 2

    return silog


def sequences(own):
    def dpo(chosen_logits, rejected_logits, chosen_labels, rejected_labels, ref_chosen, ref_rejected):
        def total(logits, labels, kept):
            logs = logits.log_softmax(-1).gather(2, labels.clamp(min=0)[..., None])[..., 0]
            return (logs * kept).sum(1)

        chosen = total(chosen_logits, chosen_labels, chosen_labels >= 0)
        rejected = total(rejected_logits, rejected_labels, (rejected_labels if own else chosen_labels) >= 0)
        return -F.logsigmoid(0.1 * (chosen - rejected - ref_chosen + ref_rejected)).mean()

    return dpo


def noise(above):
    class MinSNR(nn.Module):
        def __init__(self, gamma=5.0):
            super().__init__()
            kept = torch.linspace(0.9999, 0.98, 1000).double().cumprod(0)
            ratio = kept / (1 - kept)
            self.register_buffer("weight", (ratio.clamp(max=gamma) if above else ratio.clamp(min=gamma)) / ratio)

        def forward(self, output, noise, t):
            return ((output - noise).square().flatten(1).mean(1) * self.weight[t].to(output)).mean()

    return MinSNR()


def tasks(stacked):
    class TaskWeights(nn.Module):
        """Multi-task uncertainty weights of scalar losses."""

        def __init__(self, count=2):
            super().__init__()
            self.log_var = nn.Parameter(torch.zeros(count))

        def forward(self, *losses):
            losses = torch.stack(losses) if stacked else torch.tensor(losses)
            return ((-self.log_var).exp() * losses + self.log_var).sum()

    return TaskWeights()


CASES = {
    "triplets": (all_triplets, "the mean over no triplet is 0 / 0"),
    "depth": (log_depth, "targets of 0, which are not measured"),
    "sequences": (sequences, "the tokens of the rejected answer"),
    "noise": (noise, "clamped from below"),
    "tasks": (tasks, "the losses of the tasks get no gradient"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_mistake_is_named_and_the_sound_loss_is_not_accused(name):
    made, words = CASES[name]
    assert claims_of(made(True)) == []
    (found,) = claims_of(made(False))
    assert words in found
