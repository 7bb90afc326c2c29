"""torch.compile of a whole training step, with batches of changing size: how often it compiles again.

python examples/integrations/with_compile.py
"""

import copy

import torch
from torch import nn
from torch._dynamo.utils import counters

from losskit import CrossEntropyLoss, DiceLoss, Scheduled
from losskit.compose import linear

SIZES = (8, 7, 4, 8, 3, 16, 5, 7, 2, 11)  # as the last batch of an epoch, or a sampler by length, makes them


def train(criterion, backend=None):
    """The loss of each step, and how many graphs were compiled for them."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))
    criterion = copy.deepcopy(criterion)
    schedules = [module for module in criterion.modules() if isinstance(module, Scheduled)]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(x, target):
        loss = criterion(model(x), target)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    torch.compiler.reset()
    counters.clear()
    step = step if backend is None else torch.compile(step, backend=backend)
    losses = []
    for size in SIZES:
        make = torch.Generator().manual_seed(size)
        x, target = torch.randn(size, 3, 16, 16, generator=make), torch.randint(4, (size, 16, 16), generator=make)
        losses.append(step(x, target))
        for schedule in schedules:
            schedule.step()
    return torch.stack(losses), counters["stats"]["unique_graphs"]


def report(criterion, name, backend="inductor"):
    """How many graphs a criterion takes, and how far its losses are from those of eager code."""
    eager, _ = train(criterion)
    losses, graphs = train(criterion, backend)
    error = ((losses - eager).abs() / eager).max().item()
    print(f"{name}: {len(SIZES)} steps, {len(set(SIZES))} sizes, {graphs} graphs, error {error:.1e}")
    return graphs, error


if __name__ == "__main__":
    # A step breaks at `backward`, so each size takes some graphs; the second size makes them fit every other one.
    least, _ = report(nn.CrossEntropyLoss(), "torch.nn.CrossEntropyLoss")
    scheduled = Scheduled(linear(0.0, 1.0, steps=len(SIZES))) * DiceLoss(pool="batch") + CrossEntropyLoss()
    for name, criterion in {"dice + ce": DiceLoss() + 0.5 * CrossEntropyLoss(), "scheduled": scheduled}.items():
        graphs, error = report(criterion, name)
        assert graphs == least
        assert error < 1e-5
