"""timm: a training step with mixup and cutmix, whose soft targets go into the losses as they are.

python examples/integrations/with_timm.py
"""

import numpy as np
import timm
import timm.optim
import torch
from timm.data import Mixup
from timm.loss import SoftTargetCrossEntropy

from losskit import CrossEntropyLoss, FocalLoss

CLASSES, STEPS = 10, 3


def train(criterion):
    """The loss of each step."""
    torch.manual_seed(0)
    model = timm.create_model("resnet10t", pretrained=False, num_classes=CLASSES)
    optimizer = timm.optim.create_optimizer_v2(model, opt="sgd", lr=0.05)
    np.random.seed(0)
    mixup = Mixup(mixup_alpha=0.8, cutmix_alpha=1.0, label_smoothing=0.1, num_classes=CLASSES)
    make = torch.Generator().manual_seed(1)
    losses = []
    for _ in range(STEPS):
        x, target = torch.randn(4, 3, 64, 64, generator=make), torch.randint(CLASSES, (4,), generator=make)
        x, target = mixup(x, target)  # (N, classes)
        loss = criterion(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses)


if __name__ == "__main__":
    ours, theirs = train(CrossEntropyLoss()), train(SoftTargetCrossEntropy())
    print(f"losses {ours.tolist()} of {theirs.tolist()}")
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0.0)
    focal = train(FocalLoss(gamma=2.0, mode="multiclass"))
    print(f"focal: {focal.tolist()}")
    assert (focal < ours).all()
