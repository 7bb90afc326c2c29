"""The training benchmark: the same model, data and seeds under each loss, and a report of which loss is best."""

from losskit.experiment.comparison import compare as compare
from losskit.experiment.results import Comparison as Comparison
from losskit.experiment.tasks.task import InputError as InputError
