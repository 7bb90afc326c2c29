"""A training loop with a composite loss, logged parts, ignored pixels, and the matching metric.

python examples/segmentation.py
"""

import torch
from torch import nn

from losskit import BCEWithLogitsLoss, DiceLoss

torch.manual_seed(0)
torch.set_num_threads(1)


def batch(size=16, side=32):
    """Noisy images with one bright disc, or none in every fourth; 255 marks an unannotated border."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    centre = torch.randint(8, side - 8, (size, 2, 1, 1))
    target = ((y - centre[:, 0]) ** 2 + (x - centre[:, 1]) ** 2 < 30).to(torch.uint8).unsqueeze(1)
    target[::4] = 0
    images = target + 0.7 * torch.randn(size, 1, side, side)
    target[..., :2] = 255
    return images, target


model = nn.Sequential(
    nn.Conv2d(1, 8, 5, padding=2),
    nn.ReLU(),
    nn.Conv2d(8, 8, 5, padding=2),
    nn.ReLU(),
    nn.Conv2d(8, 1, 1),
)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
criterion = DiceLoss(ignore_index=255) + 0.5 * BCEWithLogitsLoss(ignore_index=255)
score = DiceLoss(ignore_index=255).score

for step in range(61):
    images, target = batch()
    logits = model(images)
    loss, parts = criterion.parts(logits, target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        named = ", ".join(f"{name} {part.raw:.3f}" for name, part in parts.items())
        found = score(logits, target)
        print(f"step {step:2}: loss {loss:.3f} ({named}), Dice score {found:.3f}")
