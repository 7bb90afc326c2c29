"""segmentation_models_pytorch: a model of theirs trained with a composite of ours, and beside their Dice.

python examples/integrations/with_smp.py
"""

import segmentation_models_pytorch as smp
import torch

from losskit import CrossEntropyLoss, DiceLoss

STEPS = 3


def batch(seed):
    make = torch.Generator().manual_seed(seed)
    target = torch.randint(0, 3, (2, 64, 64), generator=make)
    target[:, :4] = 255
    return torch.randn(2, 3, 64, 64, generator=make), target


def train(criterion):
    """The loss of each step."""
    torch.manual_seed(0)
    model = smp.Unet("resnet18", encoder_weights=None, classes=3, decoder_channels=(16, 16, 16, 8, 8))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    losses = []
    for step in range(STEPS):
        x, target = batch(step)
        loss = criterion(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses)


if __name__ == "__main__":
    ours = train(DiceLoss(pool="batch", ignore_index=255))
    theirs = train(smp.losses.DiceLoss("multiclass", ignore_index=255))
    print(f"losses {ours.tolist()} of {theirs.tolist()}")
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0.0)

    criterion = DiceLoss(pool="batch", ignore_index=255) + 0.5 * CrossEntropyLoss(ignore_index=255)
    losses = train(criterion)
    print(f"{criterion}: {losses.tolist()}")
    assert losses.isfinite().all()
