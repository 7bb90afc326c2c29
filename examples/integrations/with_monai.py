"""MONAI: a composite as the `loss_function` of `SupervisedTrainer`, beside MONAI's own loss.

python examples/integrations/with_monai.py
"""

import torch
from monai.engines import SupervisedTrainer
from monai.losses import DiceCELoss as MonaiDiceCELoss
from monai.networks.nets import UNet
from torch.utils.data import DataLoader

from losskit import CrossEntropyLoss, DiceLoss

STEPS = 4


def data():
    torch.manual_seed(1)
    return [{"image": torch.randn(1, 16, 16), "label": torch.randint(0, 3, (1, 16, 16))} for _ in range(2 * STEPS)]


def train(criterion):
    """The loss of each step, and the weights after the last one."""
    torch.manual_seed(0)
    model = UNet(spatial_dims=2, in_channels=1, out_channels=3, channels=(4, 8), strides=(2,), norm="instance")
    losses = []

    def recorded(logits, label):
        loss = criterion(logits, label)
        losses.append(loss.item())
        return loss

    SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=DataLoader(data(), batch_size=2),
        network=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        loss_function=recorded,
    ).run()
    return torch.tensor(losses), torch.cat([p.detach().flatten() for p in model.parameters()])


if __name__ == "__main__":
    # The labels are (N, 1, H, W), as MONAI's transforms leave them.
    ours, weights = train(DiceLoss() + CrossEntropyLoss())
    theirs, their_weights = train(MonaiDiceCELoss(softmax=True, to_onehot_y=True, smooth_nr=0, smooth_dr=0))
    error = ((weights - their_weights).norm() / their_weights.norm()).item()
    print(f"losses {ours.tolist()} of {theirs.tolist()}; weights after {STEPS} steps: error {error:.1e}")
    assert error < 1e-5
    torch.testing.assert_close(ours, theirs)
