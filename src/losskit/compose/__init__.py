"""Composite losses: blobs, deep supervision, hard-example mining, learned and scheduled weights."""

from losskit.compose.blobs import BlobLoss as BlobLoss
from losskit.compose.deep_supervision import DeepSupervisionLoss as DeepSupervisionLoss
from losskit.compose.heads import MultiTaskLoss as MultiTaskLoss
from losskit.compose.learned import LearnedWeights as LearnedWeights
from losskit.compose.schedule import Scheduled as Scheduled
from losskit.compose.schedule import cosine as cosine
from losskit.compose.schedule import linear as linear
from losskit.compose.schedule import warmup as warmup
from losskit.compose.top_k import OHEMLoss as OHEMLoss
from losskit.compose.top_k import TopKLoss as TopKLoss


def __dir__() -> list[str]:
    """The public names, without the modules that define them."""
    return sorted(name for name, value in globals().items() if callable(value) and not name.startswith("_"))
