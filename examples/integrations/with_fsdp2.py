"""FSDP2: `fully_shard` on two processes with uneven shares of the batch, and the gradient of the whole.

python examples/integrations/with_fsdp2.py
"""

import socket

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.multiprocessing.spawn import spawn

from losskit import CrossEntropyLoss, DiceLoss
from losskit.distributed import sync

SHARES = [slice(0, 6), slice(6, 8)]


class Segmentation(nn.Module):
    """The criterion is a part of the model: FSDP leaves its buffers whole, and would shard what it learns."""

    def __init__(self, synchronized):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))
        criterion = DiceLoss(pool="batch") + 0.5 * CrossEntropyLoss(class_weight=[0.5, 1.0, 1.0, 2.0])
        self.criterion = sync(criterion) if synchronized else criterion

    def forward(self, x, target):
        return self.criterion(self.net(x), target)


def batch():
    torch.manual_seed(1)
    x, target = torch.randn(8, 3, 16, 16), torch.randint(0, 4, (8, 16, 16))
    target[:3, :12] = -100
    return x, target


def whole_batch():
    """The loss and its gradients on one machine."""
    model = Segmentation(synchronized=False)
    loss = model(*batch())
    loss.backward()
    return loss.item(), [p.grad for p in model.parameters()]


def train(rank, port):
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=len(SHARES))
    value, gradients = whole_batch()
    for name, synchronized in ("averaged", False), ("sync", True):
        model = Segmentation(synchronized)
        fully_shard(model.net[0])
        fully_shard(model)
        x, target = batch()
        loss = model(x[SHARES[rank]], target[SHARES[rank]])
        loss.backward()
        assert all(isinstance(p, DTensor) for p in model.parameters())
        found = [p.grad.full_tensor() for p in model.parameters()]
        norm = sum(wanted.norm() ** 2 for wanted in gradients) ** 0.5
        error = (sum((a - b).norm() ** 2 for a, b in zip(found, gradients, strict=True)) ** 0.5 / norm).item()
        line = f"{name}, process {rank}: loss {loss.item():.6f} of {value:.6f}, gradient error {error:.1e}\n"
        print(line, end="", flush=True)
        assert error < 1e-5 if synchronized else error > 0.05
        dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    spawn(train, args=(port,), nprocs=len(SHARES))
