"""Every score that a run measures on test data, what it is called and which way is better."""

from dataclasses import dataclass
from enum import Enum


class Range(Enum):
    """Values that a score can take."""

    SHARE = "0 to 1"
    POSITIVE = "0 or more"
    ANY = "any number"


@dataclass(frozen=True)
class Metric:
    key: str
    label: str
    higher_is_better: bool = True
    says: str = ""  # in a sentence, for the report
    range: Range = Range.SHARE
    margin: float = 0.02  # losses that differ by less are called the same; of errors, as a share of the baseline's
    short: str = ""  # of a table in a terminal

    def better(self, value: float) -> float:
        """The value such that more is better."""
        return value if self.higher_is_better else -value


DICE = Metric(
    "dice",
    "Dice of non-empty images",
    says="Dice of each image that holds something, background apart, with pixels decided at the threshold chosen on "
    "validation data; the mean over those images.",
    short="Dice",
)
DICE_AT_HALF = Metric(
    "dice_at_half",
    "the same at 0.5",
    says="The same with every pixel decided at a probability of one half (or argmax).",
    short="at 0.5",
)
CLEAN = Metric(
    "empty_left_clean",
    "empty images left clean",
    says="Share of the images that hold nothing in which nothing is found, at the chosen threshold.",
    margin=0.05,
    short="left clean",
)
CLEAN_AT_HALF = Metric(
    "empty_left_clean_at_half",
    "empty images left clean at 0.5",
    says="The same at a probability of one half.",
)
ACCURACY = Metric("accuracy", "accuracy", says="Share of right answers, at the threshold chosen on validation data.")
ACCURACY_AT_HALF = Metric(
    "accuracy_at_half", "accuracy at 0.5", says="Share of right answers of the most likely class."
)
BALANCED = Metric(
    "balanced_accuracy",
    "balanced accuracy",
    short="balanced",
    says="Mean over the classes of the share found, at the threshold chosen on validation data.",
)
BALANCED_AT_HALF = Metric(
    "balanced_accuracy_at_half", "balanced accuracy at 0.5", says="The same for the most likely class."
)
PRECISION = Metric(
    "average_precision",
    "average precision",
    says="Area under precision against recall over all thresholds, mean over classes: the ranking alone, no threshold.",
)
BRIER = Metric(
    "brier", "Brier score", higher_is_better=False, says="Mean squared distance of the probabilities from the truth."
)
CALIBRATION = Metric(
    "calibration_error",
    "expected calibration error",
    higher_is_better=False,
    short="ECE",
    says="How far the probability of the answer is from how often it is right, mean over 15 bins of equal width.",
)
THRESHOLD = Metric(
    "threshold",
    "chosen threshold",
    range=Range.ANY,
    short="threshold",
    says="Binary: the probability from which on a pixel counts as found. Classes: how much of the logarithm of each "
    "class's share in training is taken off its score (0 is argmax). Chosen on validation data.",
)
MAE = Metric(
    "mae",
    "mean absolute error",
    higher_is_better=False,
    says="Of the test part, in units of the target.",
    range=Range.POSITIVE,
    short="error",
)
RMSE = Metric(
    "rmse",
    "root mean squared error",
    higher_is_better=False,
    says="Of the test part.",
    range=Range.POSITIVE,
    short="RMSE",
)
MEDIAN_ERROR = Metric(
    "median_error",
    "median absolute error",
    higher_is_better=False,
    says="Half the errors are below.",
    range=Range.POSITIVE,
)
R2 = Metric("r2", "R²", says="Share of the test part's variance that is explained.", range=Range.ANY)

ALWAYS = (CALIBRATION, THRESHOLD, PRECISION, BRIER)
SEGMENTATION = (DICE, CLEAN, *ALWAYS, DICE_AT_HALF, CLEAN_AT_HALF)
LABELS = (ACCURACY, BALANCED, *ALWAYS, ACCURACY_AT_HALF, BALANCED_AT_HALF)
REGRESSION = (MAE, RMSE, MEDIAN_ERROR, R2)
RANKING = (DICE, ACCURACY, BALANCED, *REGRESSION)  # by which losses can be ranked


def at_half(metric: Metric) -> str:
    """The key of the same score at the threshold 0.5."""
    return f"{metric.key}_at_half"
