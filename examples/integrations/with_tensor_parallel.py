"""Tensor parallelism: logits whose classes are split over two processes go into the loss as they are, a DTensor.

python examples/integrations/with_tensor_parallel.py
"""

import socket

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.multiprocessing.spawn import spawn

from losskit import CrossEntropyLoss, FocalLoss

PROCESSES, CLASSES = 2, 10


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.head = nn.Linear(16, 32), nn.Linear(32, 16), nn.Linear(16, CLASSES)

    def forward(self, x):
        return self.head(self.second(self.first(x).relu()))


def batch():
    torch.manual_seed(1)
    target = torch.randint(CLASSES, (12,))
    target[:3] = -100
    return torch.randn(12, 16), target


def train(rank, port):
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=PROCESSES)
    mesh = init_device_mesh("cpu", (PROCESSES,))
    criterion = CrossEntropyLoss(label_smoothing=0.1) + FocalLoss()
    x, target = batch()
    whole, parallel = Classifier(), Classifier()
    value = criterion(whole(x), target)
    value.backward()

    plan = {
        "first": ColwiseParallel(),
        "second": RowwiseParallel(),
        "head": ColwiseParallel(output_layouts=Shard(-1), use_local_output=False),  # classes split, and left so
    }
    parallelize_module(parallel, mesh, plan)
    logits = parallel(x)
    assert isinstance(logits, DTensor)
    assert logits.placements == (Shard(1),)
    loss = criterion(logits, DTensor.from_local(target, mesh, [Replicate()]))
    loss.backward()
    assert torch.isclose(loss.full_tensor(), value)
    errors = [
        ((a.grad.full_tensor() - b.grad).norm() / b.grad.norm()).item()
        for a, b in zip(parallel.parameters(), whole.parameters(), strict=True)
    ]
    if rank == 0:
        print(f"loss {loss.full_tensor():.6f} of {value:.6f}, largest gradient error {max(errors):.1e}")
    assert max(errors) < 1e-5
    dist.destroy_process_group()


if __name__ == "__main__":
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    spawn(train, args=(port,), nprocs=PROCESSES)
