"""torchmetrics: the score of a region loss is the metric of the same meaning, over an epoch too.

python examples/integrations/with_torchmetrics.py
"""

import torch
from torchmetrics.classification import MulticlassJaccardIndex
from torchmetrics.segmentation import DiceScore

from losskit import DiceLoss, IoULoss

CLASSES = 4


def batches():
    torch.manual_seed(0)
    for size in 8, 8, 3:
        target = torch.randint(CLASSES, (size, 16, 16))
        yield (
            torch.randn(size, CLASSES, 16, 16) + 2 * torch.nn.functional.one_hot(target, CLASSES).movedim(-1, 1),
            target,
        )


if __name__ == "__main__":
    # The mean over samples and classes of a batch, which is what `pool="sample"` means.
    logits, target = next(batches())
    metric = DiceScore(CLASSES, average="macro", input_format="index")
    score = DiceLoss().score(logits, target)
    print(f"Dice of a batch: score {score:.6f}, torchmetrics {metric(logits.argmax(1), target):.6f}")
    torch.testing.assert_close(score, metric(logits.argmax(1), target))

    # Over an epoch a metric adds its counts: so do `score_totals`, where the mean of batches is another number.
    metric, criterion = MulticlassJaccardIndex(CLASSES), IoULoss(pool="batch")
    for logits, target in batches():
        metric.update(logits, target)
    score = criterion.finish_score(sum(criterion.score_totals(logits, target) for logits, target in batches()))
    print(f"IoU of an epoch: score {score:.6f}, torchmetrics {metric.compute():.6f}")
    torch.testing.assert_close(score.to(torch.float32), metric.compute())
