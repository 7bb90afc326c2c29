from losskit.core.domains import NonNegative
from losskit.core.options import option
from losskit.core.region import RegionLoss, Totals
from torch import Tensor

class TverskyLoss(RegionLoss):
    """Dice with separate prices."""
    alpha: NonNegative = option(default=0.5, doc="price of a false positive")
    beta: NonNegative = option(default=0.5, doc="price of a false negative")
    smooth: NonNegative = option(default=0.0, doc="x")

    def per_class(self, total: Totals) -> Tensor:
        return 1 - (total.tp + self.smooth) / (total.tp + self.alpha * total.fp + self.beta * total.fn + self.smooth)
