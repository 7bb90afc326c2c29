"""Gradient accumulation over micro-batches, with the gradient of the whole batch.

    python examples/gradient_accumulation.py

Dividing the loss of each micro-batch by their number is exact only if all of them have the same weight.
"""

import torch
from torch import nn

from losskit import CrossEntropyLoss, DiceLoss
from losskit.distributed import micro_batches

torch.manual_seed(0)
model = nn.Conv2d(3, 4, 3, padding=1)
x, target = torch.randn(8, 3, 16, 16), torch.randint(0, 4, (8, 16, 16))
target[:3, :12] = -100  # unlabelled: the pieces have different weights
pieces = [(x[i : i + 2], target[i : i + 2]) for i in range(0, len(x), 2)]


def gradient(losses):
    """The gradient that the losses accumulate."""
    model.zero_grad()
    for loss in losses:
        loss.backward()
    return model.weight.grad.clone()


def report(name, found, whole):
    print(f"{name}: gradient error {(found - whole).norm() / whole.norm():.1e}")


# A mean: the targets determine the denominator of the whole batch, so one forward pass is enough.
criterion = CrossEntropyLoss()
whole = gradient([criterion(model(x), target)])
report("cross-entropy, averaged", gradient(criterion(model(a), t) / len(pieces) for a, t in pieces), whole)
report("cross-entropy, micro_batches", gradient(micro_batches(criterion, model, pieces)), whole)

# The same by hand: add the counts of the pieces; each loss is then its share of the mean over the batch.
counts = sum(criterion.counts(t, num_classes=4) for _, t in pieces)
report("cross-entropy, by hand", gradient(criterion(model(a), t, whole=counts) for a, t in pieces), whole)

# Dice over the batch is a ratio of sums: a first pass without gradient collects the sums.
criterion = DiceLoss(pool="batch") + 0.5 * CrossEntropyLoss()
whole = gradient([criterion(model(x), target)])
report("dice + ce, averaged", gradient(criterion(model(a), t) / len(pieces) for a, t in pieces), whole)
report("dice + ce, micro_batches", gradient(micro_batches(criterion, model, pieces)), whole)
