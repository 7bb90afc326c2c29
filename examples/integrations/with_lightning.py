"""Lightning: parts in the log, DDP on two processes, and accumulation, each with the step of the whole batch.

python examples/integrations/with_lightning.py
"""

import logging
import warnings

import lightning as L
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from losskit import CrossEntropyLoss, DiceLoss
from losskit.distributed import micro_batches, sync

warnings.filterwarnings("ignore")  # of Lightning, about data loaders this small
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


def criterion():
    return DiceLoss(pool="batch") + 0.5 * CrossEntropyLoss()


class Segmentation(L.LightningModule):
    def __init__(self, criterion, pieces=1):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Conv2d(3, 4, 3, padding=1)
        self.criterion, self.pieces = criterion, pieces
        self.automatic_optimization = pieces == 1

    def training_step(self, batch):
        if self.pieces > 1:
            return self.accumulate(*batch)
        loss, parts = self.criterion.parts(self.net(batch[0]), batch[1])
        self.log_dict(parts.numbers())
        self.log("loss", loss)
        return loss

    def accumulate(self, x, target):
        """One step of a batch that does not fit into memory at once."""
        optimizer = self.optimizers()
        optimizer.zero_grad()
        pieces = zip(x.chunk(self.pieces), target.chunk(self.pieces), strict=True)
        for loss in micro_batches(self.criterion, self.net, pieces):
            self.manual_backward(loss)
        optimizer.step()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def data():
    """8 images; in the first three most pixels are unlabelled, so that parts of the batch do not count alike."""
    torch.manual_seed(1)
    x, target = torch.randn(8, 3, 16, 16), torch.randint(0, 4, (8, 16, 16))
    target[:3, :12] = -100
    return TensorDataset(x, target)


def fit(module, batch_size, **options):
    """The weights after one step, and what was logged."""
    trainer = L.Trainer(
        accelerator="cpu",
        max_steps=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    trainer.fit(module, DataLoader(data(), batch_size))
    return module.net.weight.detach().clone(), trainer.logged_metrics


def report(name, found, whole):
    """How far a step is from that of the whole batch."""
    before = Segmentation(criterion()).net.weight.detach()
    error = ((found - whole).norm() / (whole - before).norm()).item()
    print(f"{name}: error of the step {error:.1e}")
    return error


if __name__ == "__main__":
    whole, logged = fit(Segmentation(criterion()), batch_size=8)
    print("logged:", {name: round(value.item(), 3) for name, value in logged.items()})
    assert torch.isclose(logged["dice"] + logged["ce"], logged["loss"])

    ddp = {"strategy": "ddp_spawn", "devices": 2}
    averaged, _ = fit(Segmentation(criterion()), 4, **ddp)
    exact, logged = fit(Segmentation(sync(criterion())), 4, **ddp)
    assert report("DDP, averaged", averaged, whole) > 0.05
    assert report("DDP, sync", exact, whole) < 1e-5

    averaged, _ = fit(Segmentation(criterion()), 2, accumulate_grad_batches=4)
    exact, _ = fit(Segmentation(criterion(), pieces=4), 8)
    assert report("accumulate_grad_batches", averaged, whole) > 0.05
    assert report("micro_batches", exact, whole) < 1e-5

    both, _ = fit(Segmentation(sync(criterion()), pieces=2), 4, **ddp)
    assert report("DDP and micro_batches", both, whole) < 1e-5
