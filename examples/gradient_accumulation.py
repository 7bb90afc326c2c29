"""A large batch in small pieces, with the gradient of the whole.

    python examples/gradient_accumulation.py

Dividing each piece's loss by the number of pieces is exact only where every piece counts as much as the others.
"""

import torch
from torch import nn

from losskit import CrossEntropyLoss, DiceLoss
from losskit.distributed import micro_batches

torch.manual_seed(0)
model = nn.Conv2d(3, 4, 3, padding=1)
x, target = torch.randn(8, 3, 16, 16), torch.randint(0, 4, (8, 16, 16))
target[:3, :12] = -100  # unlabelled: the pieces do not count alike
pieces = [(x[i : i + 2], target[i : i + 2]) for i in range(0, len(x), 2)]


def gradient(losses):
    """The gradient that the losses accumulate."""
    model.zero_grad()
    for loss in losses:
        loss.backward()
    return model.weight.grad.clone()


def report(name, found, whole):
    print(f"{name}: gradient error {(found - whole).norm() / whole.norm():.1e}")


# A mean: its targets tell what the whole divides by, so one forward pass is enough.
criterion = CrossEntropyLoss()
whole = gradient([criterion(model(x), target)])
report("cross-entropy, averaged", gradient(criterion(model(a), t) / len(pieces) for a, t in pieces), whole)
report("cross-entropy, micro_batches", gradient(micro_batches(criterion, model, pieces)), whole)

# The same by hand: the counts of the pieces add up, and each loss is its share of the whole's mean.
counts = sum(criterion.counts(t, num_classes=4) for _, t in pieces)
report("cross-entropy, by hand", gradient(criterion(model(a), t, whole=counts) for a, t in pieces), whole)

# Dice over the batch is a ratio of sums: a first pass without gradient collects them.
criterion = DiceLoss(pool="batch") + 0.5 * CrossEntropyLoss()
whole = gradient([criterion(model(x), target)])
report("dice + ce, averaged", gradient(criterion(model(a), t) / len(pieces) for a, t in pieces), whole)
report("dice + ce, micro_batches", gradient(micro_batches(criterion, model, pieces)), whole)
