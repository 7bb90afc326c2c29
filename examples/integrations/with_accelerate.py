"""accelerate: gradient accumulation on two processes, with the gradient of the whole batch.

python examples/integrations/with_accelerate.py      (or accelerate launch)
"""

import torch
from accelerate import Accelerator, debug_launcher
from torch import nn

from losskit import CrossEntropyLoss, DiceLoss
from losskit.distributed import micro_batches, sync

PROCESSES, PIECES = 2, 2


def criterion():
    return DiceLoss(pool="batch") + 0.5 * CrossEntropyLoss()


def model_and_batch():
    torch.manual_seed(0)
    model = nn.Conv2d(3, 4, 3, padding=1)
    x, target = torch.randn(8, 3, 16, 16), torch.randint(0, 4, (8, 16, 16))
    target[:3, :12] = -100  # unlabelled: the pieces do not count alike
    return model, x, target


def whole_gradient():
    model, x, target = model_and_batch()
    criterion()(model(x), target).backward()
    return model.weight.grad


def averaged(accelerator, model, pieces):
    """As accelerate's guide has it: the losses of pieces and processes are averaged."""
    for x, target in pieces:
        with accelerator.accumulate(model):
            accelerator.backward(criterion()(model(x), target))


def exact(accelerator, model, pieces):
    for loss in micro_batches(sync(criterion()), model, pieces):
        accelerator.backward(loss)


def train():
    for step, steps in (averaged, PIECES), (exact, 1):
        accelerator = Accelerator(cpu=True, gradient_accumulation_steps=steps)
        model, x, target = model_and_batch()
        parallel = accelerator.prepare(model)
        mine = slice(accelerator.process_index, None, accelerator.num_processes)
        step(accelerator, parallel, list(zip(x[mine].chunk(PIECES), target[mine].chunk(PIECES), strict=True)))
        whole = whole_gradient()
        error = ((model.weight.grad - whole).norm() / whole.norm()).item()
        print(f"{step.__name__}, process {accelerator.process_index}: gradient error {error:.1e}", flush=True)
        assert error < 1e-5 if step is exact else error > 0.05


if __name__ == "__main__":
    debug_launcher(train, num_processes=PROCESSES)
