"""nnU-Net: a trainer whose loss is replaced, and one with the same numbers as nnU-Net's own.

    python examples/integrations/with_nnunet.py

In a project, a subclass such as these stands in a file of the package nnunetv2.training.nnUNetTrainer, and
`nnUNetv2_train ... -tr LosskitTrainer` names it.
"""

import os
import tempfile
from pathlib import Path

FOLDER = tempfile.TemporaryDirectory()
for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):  # read when nnU-Net is imported
    os.environ[name] = FOLDER.name
os.environ["nnUNet_compile"] = "f"  # noqa: SIM112

import torch  # noqa: E402
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer  # noqa: E402

from losskit import DiceCELoss, DiceLoss, FocalLoss  # noqa: E402

STEPS, CLASSES = 2, 3


class LosskitTrainer(nnUNetTrainer):
    """With a loss of losskit for each resolution. nnU-Net's wrapper weighs the resolutions."""

    def criterion(self):
        pool = "batch" if self.configuration_manager.batch_dice else "sample"
        ignored = self.label_manager.ignore_label
        options = {} if ignored is None else {"ignore_index": ignored}
        return DiceLoss(include_background=False, pool=pool, **options) + FocalLoss(**options)

    def _build_loss(self):
        loss = super()._build_loss()
        if not self.enable_deep_supervision:
            return self.criterion()
        loss.loss = self.criterion()
        return loss


class SameTrainer(LosskitTrainer):
    """nnU-Net's own Dice and cross-entropy, but lower by 1 there: it subtracts the score."""

    def criterion(self):
        pool = "batch" if self.configuration_manager.batch_dice else "sample"
        return DiceCELoss(include_background=False, smooth=1e-5, absent="formula", pool=pool)


def plans():
    """Of a 2D U-Net of two stages, as nnU-Net plans one."""
    architecture = {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": 3,
            "features_per_stage": [4, 8, 8],
            "conv_op": "torch.nn.modules.conv.Conv2d",
            "kernel_sizes": [[3, 3]] * 3,
            "strides": [[1, 1], [2, 2], [2, 2]],
            "n_conv_per_stage": [1, 1, 1],
            "n_conv_per_stage_decoder": [1, 1],
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
    configuration = {
        "data_identifier": "data",
        "batch_size": 2,
        "patch_size": [32, 32],
        "batch_dice": True,
        "normalization_schemes": ["ZScoreNormalization"],
        "architecture": architecture,
    }
    return {
        "dataset_name": "Dataset001_Made",
        "plans_name": "plans",
        "configurations": {"2d": configuration},
        "label_manager": "LabelManager",
        "continue_training": False,
    }


def train(kind):
    """The loss of each step, and the weights after the last one."""
    labels = {"background": 0, **{f"class {c}": c for c in range(1, CLASSES)}}
    torch.manual_seed(0)
    trainer = kind(plans(), "2d", 0, {"channel_names": {"0": "image"}, "labels": labels}, torch.device("cpu"))
    data = Path(FOLDER.name, "Dataset001_Made", "data")
    data.mkdir(parents=True, exist_ok=True)
    (data / "case.npz").touch()  # by which nnU-Net chooses how it would read the cases
    trainer.initialize()
    make = torch.Generator().manual_seed(1)
    losses = []
    for _ in range(STEPS):
        target = torch.randint(CLASSES, (2, 1, 32, 32), generator=make).float()
        batch = {"data": torch.randn(2, 1, 32, 32, generator=make), "target": [target, target[..., ::2, ::2]]}
        losses.append(float(trainer.train_step(batch)["loss"]))
    return torch.tensor(losses), torch.cat([p.detach().flatten() for p in trainer.network.parameters()])


if __name__ == "__main__":
    own, weights = train(nnUNetTrainer)
    same, same_weights = train(SameTrainer)
    error = ((weights - same_weights).norm() / weights.norm()).item()
    print(f"losses {same.tolist()}, nnU-Net's plus 1 {(own + 1).tolist()}; weights: error {error:.1e}")
    torch.testing.assert_close(same, own + 1, rtol=1e-5, atol=0.0)
    assert error < 1e-5
    replaced, _ = train(LosskitTrainer)
    print(f"Dice and focal: {replaced.tolist()}")
