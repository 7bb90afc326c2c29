"""An exact loss under DistributedDataParallel, however the batch is split.

    python examples/ddp.py

Dice over the whole batch is not the average of the Dice losses of the processes: without `sync` the gradient is wrong.
"""

import socket

import torch
import torch.distributed as dist
from torch import nn
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

from losskit import CrossEntropyLoss, DiceLoss
from losskit.distributed import sync

SHARDS = [slice(0, 6), slice(6, 8)]  # uneven on purpose


def criterion():
    return DiceLoss(pool="batch") + 0.5 * CrossEntropyLoss(ignore_index=-100)


def model_and_batch():
    torch.manual_seed(0)
    model = nn.Conv2d(3, 4, 3, padding=1)
    return model, torch.randn(8, 3, 16, 16), torch.randint(0, 4, (8, 16, 16))


def whole_batch():
    """Loss and gradient on one machine."""
    model, x, target = model_and_batch()
    loss = criterion()(model(x), target)
    loss.backward()
    return loss.item(), model.weight.grad


def train(rank, port):
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=len(SHARDS))
    model, x, target = model_and_batch()
    parallel = DistributedDataParallel(model)
    for name, loss_function in ("averaged", criterion()), ("sync", sync(criterion())):
        model.zero_grad()
        loss = loss_function(parallel(x[SHARDS[rank]]), target[SHARDS[rank]])
        loss.backward()  # DistributedDataParallel averages the gradients here
        value, gradient = whole_batch()
        error = (model.weight.grad - gradient).norm() / gradient.norm()
        line = f"{name}, process {rank}: loss {loss.item():.6f} of {value:.6f}, gradient error {error:.1e}\n"
        print(line, end="", flush=True)  # one write, so that the lines of two processes do not interleave
        dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    spawn(train, args=(port,), nprocs=len(SHARDS))
