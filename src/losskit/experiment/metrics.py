"""Every score that a run measures on test data, what it is called and which way is better."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    key: str
    label: str
    higher_is_better: bool = True
    says: str = ""  # in a sentence, for the report

    def better(self, value: float) -> float:
        """The value such that more is better."""
        return value if self.higher_is_better else -value


DICE = Metric(
    "dice",
    "mean image Dice",
    says="Dice of each image, background apart, with pixels decided at the threshold chosen on validation data; 1 "
    "where an image holds nothing and nothing is found.",
)
DICE_AT_HALF = Metric(
    "dice_at_half", "Dice at 0.5", says="The same with every pixel decided at a probability of one half (or argmax)."
)
FALSE_ALARMS = Metric(
    "empty_with_false_positive",
    "empty images with a false positive",
    higher_is_better=False,
    says="Share of the images that hold nothing in which something is found, at the chosen threshold.",
)
FALSE_ALARMS_AT_HALF = Metric(
    "empty_with_false_positive_at_half",
    "empty images with a false positive at 0.5",
    higher_is_better=False,
    says="The same at a probability of one half.",
)
ACCURACY = Metric("accuracy", "accuracy", says="Share of right answers, at the threshold chosen on validation data.")
ACCURACY_AT_HALF = Metric(
    "accuracy_at_half", "accuracy at 0.5", says="Share of right answers of the most likely class."
)
BALANCED = Metric(
    "balanced_accuracy",
    "balanced accuracy",
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
    says="How far the probability of the answer is from how often it is right, mean over 15 bins of equal width.",
)
THRESHOLD = Metric(
    "threshold",
    "chosen threshold",
    says="Binary: the probability from which on a pixel counts as found. Classes: how much of the logarithm of each "
    "class's share in training is taken off its score (0 is argmax). Chosen on validation data.",
)
MAE = Metric("mae", "mean absolute error", higher_is_better=False, says="Of the test part, in units of the target.")
RMSE = Metric("rmse", "root mean squared error", higher_is_better=False, says="Of the test part.")
MEDIAN_ERROR = Metric(
    "median_error", "median absolute error", higher_is_better=False, says="Half the errors are below."
)
R2 = Metric("r2", "R²", says="Share of the test part's variance that is explained.")

ALWAYS = (PRECISION, BRIER, CALIBRATION, THRESHOLD)
SEGMENTATION = (DICE, DICE_AT_HALF, FALSE_ALARMS, FALSE_ALARMS_AT_HALF, *ALWAYS)
LABELS = (ACCURACY, ACCURACY_AT_HALF, BALANCED, BALANCED_AT_HALF, *ALWAYS)
REGRESSION = (MAE, RMSE, MEDIAN_ERROR, R2)


def at_half(metric: Metric) -> str:
    """The key of the same score at the threshold 0.5."""
    return f"{metric.key}_at_half"
