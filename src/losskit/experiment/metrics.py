"""Every score measured on test data: its name, its range, and which direction is better."""

from dataclasses import dataclass
from enum import Enum


class Range(Enum):
    """Range of a score."""

    SHARE = "0 to 1"
    POSITIVE = "0 or more"
    ANY = "any number"


@dataclass(frozen=True)
class Metric:
    key: str
    label: str
    higher_is_better: bool = True
    says: str = ""  # one sentence, for the report
    range: Range = Range.SHARE
    margin: float = 0.02  # losses that differ by less count as the same; for errors, a share of the baseline's
    short: str = ""  # for the table in a terminal

    def better(self, value: float) -> float:
        """The value with the sign such that more is better."""
        return value if self.higher_is_better else -value


DICE = Metric(
    "dice",
    "Dice of non-empty images",
    says="Mean Dice over the images that contain foreground, background excluded, with pixels decided at the threshold "
    "chosen on validation data.",
    short="Dice",
)
DICE_AT_HALF = Metric(
    "dice_at_half",
    "the same at 0.5",
    says="The same, with every pixel decided at a probability of 0.5 (or by argmax).",
    short="at 0.5",
)
CLEAN = Metric(
    "empty_left_clean",
    "empty images left clean",
    says="Share of the empty images without false positives, at the chosen threshold.",
    margin=0.05,
    short="left clean",
)
CLEAN_AT_HALF = Metric(
    "empty_left_clean_at_half",
    "empty images left clean at 0.5",
    says="The same at a probability of 0.5.",
)
ACCURACY = Metric("accuracy", "accuracy", says="Correct predictions, at the threshold chosen on validation data.")
ACCURACY_AT_HALF = Metric("accuracy_at_half", "accuracy at 0.5", says="Correct predictions, by the most likely class.")
BALANCED = Metric(
    "balanced_accuracy",
    "balanced accuracy",
    short="balanced",
    says="Mean recall over the classes, at the threshold chosen on validation data.",
)
BALANCED_AT_HALF = Metric(
    "balanced_accuracy_at_half", "balanced accuracy at 0.5", says="The same for the most likely class."
)
PRECISION = Metric(
    "average_precision",
    "average precision",
    says="Area under the precision-recall curve, mean over classes: depends on the ranking, on no threshold.",
)
BRIER = Metric(
    "brier", "Brier score", higher_is_better=False, says="Mean squared error of the predicted probabilities."
)
CALIBRATION = Metric(
    "calibration_error",
    "expected calibration error",
    higher_is_better=False,
    short="ECE",
    says="Mean gap between predicted probability and observed frequency, over 15 bins of equal width.",
)
THRESHOLD = Metric(
    "threshold",
    "chosen threshold",
    range=Range.ANY,
    short="threshold",
    says="Binary: the lowest probability at which a pixel counts as foreground. Classes: the share of each class's log "
    "frequency in training that is subtracted from its logit (0 is argmax). Chosen on validation data.",
)
MAE = Metric(
    "mae",
    "mean absolute error",
    higher_is_better=False,
    says="On the test part, in units of the target.",
    range=Range.POSITIVE,
    short="error",
)
RMSE = Metric(
    "rmse",
    "root mean squared error",
    higher_is_better=False,
    says="On the test part, in units of the target.",
    range=Range.POSITIVE,
    short="RMSE",
)
MEDIAN_ERROR = Metric(
    "median_error",
    "median absolute error",
    higher_is_better=False,
    says="On the test part, in units of the target.",
    range=Range.POSITIVE,
)
R2 = Metric("r2", "R²", says="Explained share of the variance of the test part.", range=Range.ANY)

ALWAYS = (CALIBRATION, THRESHOLD, PRECISION, BRIER)
SEGMENTATION = (DICE, CLEAN, *ALWAYS, DICE_AT_HALF, CLEAN_AT_HALF)
LABELS = (ACCURACY, BALANCED, *ALWAYS, ACCURACY_AT_HALF, BALANCED_AT_HALF)
REGRESSION = (MAE, RMSE, MEDIAN_ERROR, R2)
RANKING = (DICE, ACCURACY, BALANCED, *REGRESSION)  # metrics that can rank losses


def at_half(metric: Metric) -> str:
    """The key of the same score at the threshold 0.5."""
    return f"{metric.key}_at_half"
