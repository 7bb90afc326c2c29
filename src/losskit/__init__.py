"""Loss functions for PyTorch: the catalogue, a kit to write your own as one formula, and a bench to compare them."""

from typing import TYPE_CHECKING

from losskit import compose as compose
from losskit import distributed as distributed
from losskit import functional as functional
from losskit.building.build import build as build
from losskit.compose import BlobLoss as BlobLoss
from losskit.compose import DeepSupervisionLoss as DeepSupervisionLoss
from losskit.compose import LearnedWeights as LearnedWeights
from losskit.compose import MultiTaskLoss as MultiTaskLoss
from losskit.compose import OHEMLoss as OHEMLoss
from losskit.compose import Scheduled as Scheduled
from losskit.compose import TopKLoss as TopKLoss
from losskit.core.algebra import WeightedSum as WeightedSum
from losskit.core.domains import Fraction as Fraction
from losskit.core.domains import NonNegative as NonNegative
from losskit.core.domains import Positive as Positive
from losskit.core.kit import classification_loss as classification_loss
from losskit.core.kit import loss as loss
from losskit.core.kit import region_loss as region_loss
from losskit.core.kit import regression_loss as regression_loss
from losskit.core.labels import ClassificationLoss as ClassificationLoss
from losskit.core.loss import Loss as Loss
from losskit.core.loss import Part as Part
from losskit.core.loss import Parts as Parts
from losskit.core.means import MeanLoss as MeanLoss
from losskit.core.means import RegressionLoss as RegressionLoss
from losskit.core.options import option as option
from losskit.core.region import RegionLoss as RegionLoss
from losskit.core.sums import Sums as Sums
from losskit.core.totals import Totals as Totals
from losskit.losses.adaptive import EqualizationLoss as EqualizationLoss
from losskit.losses.adaptive import GHMLoss as GHMLoss
from losskit.losses.adaptive import SeesawLoss as SeesawLoss
from losskit.losses.boxes import AlphaIoULoss as AlphaIoULoss
from losskit.losses.boxes import BoxIoULoss as BoxIoULoss
from losskit.losses.boxes import CIoULoss as CIoULoss
from losskit.losses.boxes import DIoULoss as DIoULoss
from losskit.losses.boxes import EIoULoss as EIoULoss
from losskit.losses.boxes import GIoULoss as GIoULoss
from losskit.losses.boxes import MPDIoULoss as MPDIoULoss
from losskit.losses.boxes import ProbIoULoss as ProbIoULoss
from losskit.losses.boxes import SIoULoss as SIoULoss
from losskit.losses.boxes import WassersteinBoxLoss as WassersteinBoxLoss
from losskit.losses.boxes import WIoULoss as WIoULoss
from losskit.losses.calibration import ConfidencePenaltyLoss as ConfidencePenaltyLoss
from losskit.losses.calibration import EvidentialClassificationLoss as EvidentialClassificationLoss
from losskit.losses.calibration import JSDConsistencyLoss as JSDConsistencyLoss
from losskit.losses.calibration import MarginSmoothingLoss as MarginSmoothingLoss
from losskit.losses.calibration import ZLoss as ZLoss
from losskit.losses.class_weight import class_weight_from as class_weight_from
from losskit.losses.classification import BCEWithLogitsLoss as BCEWithLogitsLoss
from losskit.losses.classification import CrossEntropyLoss as CrossEntropyLoss
from losskit.losses.classification import FocalCosineLoss as FocalCosineLoss
from losskit.losses.classification import FocalLoss as FocalLoss
from losskit.losses.classification import GeneralizedCrossEntropyLoss as GeneralizedCrossEntropyLoss
from losskit.losses.classification import MeanFocalLoss as MeanFocalLoss
from losskit.losses.classification import NLLLoss as NLLLoss
from losskit.losses.classification import PolyLoss as PolyLoss
from losskit.losses.combined import ComboLoss as ComboLoss
from losskit.losses.combined import DiceBCELoss as DiceBCELoss
from losskit.losses.combined import DiceCELoss as DiceCELoss
from losskit.losses.combined import DiceFocalLoss as DiceFocalLoss
from losskit.losses.combined import ExpLogLoss as ExpLogLoss
from losskit.losses.combined import GeneralizedDiceFocalLoss as GeneralizedDiceFocalLoss
from losskit.losses.combined import UnifiedFocalLoss as UnifiedFocalLoss
from losskit.losses.derivative import GridSobolevLoss as GridSobolevLoss
from losskit.losses.derivative import SobolevLoss as SobolevLoss
from losskit.losses.detection import DistributionFocalLoss as DistributionFocalLoss
from losskit.losses.detection import GaussianFocalLoss as GaussianFocalLoss
from losskit.losses.detection import QualityFocalLoss as QualityFocalLoss
from losskit.losses.detection import VarifocalLoss as VarifocalLoss
from losskit.losses.distances import BoundaryLoss as BoundaryLoss
from losskit.losses.distances import ErosionHausdorffLoss as ErosionHausdorffLoss
from losskit.losses.distances import HausdorffLoss as HausdorffLoss
from losskit.losses.distances import signed_distance as signed_distance
from losskit.losses.distribution import KLDivLoss as KLDivLoss
from losskit.losses.forecast import EnsembleCRPSLoss as EnsembleCRPSLoss
from losskit.losses.forecast import ExpectileLoss as ExpectileLoss
from losskit.losses.forecast import MAPELoss as MAPELoss
from losskit.losses.forecast import MSLELoss as MSLELoss
from losskit.losses.forecast import QuantileLoss as QuantileLoss
from losskit.losses.forecast import RelativeLpLoss as RelativeLpLoss
from losskit.losses.forecast import SMAPELoss as SMAPELoss
from losskit.losses.forecast import TweedieLoss as TweedieLoss
from losskit.losses.keypoints import OKSLoss as OKSLoss
from losskit.losses.likelihood import BetaNLLLoss as BetaNLLLoss
from losskit.losses.likelihood import CRPSLoss as CRPSLoss
from losskit.losses.likelihood import EvidentialLoss as EvidentialLoss
from losskit.losses.likelihood import GammaNLLLoss as GammaNLLLoss
from losskit.losses.likelihood import LaplaceNLLLoss as LaplaceNLLLoss
from losskit.losses.likelihood import MixtureNLLLoss as MixtureNLLLoss
from losskit.losses.likelihood import NegativeBinomialNLLLoss as NegativeBinomialNLLLoss
from losskit.losses.likelihood import StudentTNLLLoss as StudentTNLLLoss
from losskit.losses.long_tail import AUCMLoss as AUCMLoss
from losskit.losses.long_tail import BalancedBCELoss as BalancedBCELoss
from losskit.losses.long_tail import BalancedSoftmaxLoss as BalancedSoftmaxLoss
from losskit.losses.long_tail import DistributionBalancedLoss as DistributionBalancedLoss
from losskit.losses.long_tail import LDAMLoss as LDAMLoss
from losskit.losses.long_tail import LogitAdjustedLoss as LogitAdjustedLoss
from losskit.losses.margin import HingeEmbeddingLoss as HingeEmbeddingLoss
from losskit.losses.margin import MarginRankingLoss as MarginRankingLoss
from losskit.losses.margin import MultiLabelMarginLoss as MultiLabelMarginLoss
from losskit.losses.margin import MultiLabelSoftMarginLoss as MultiLabelSoftMarginLoss
from losskit.losses.margin import MultiMarginLoss as MultiMarginLoss
from losskit.losses.margin import SoftMarginLoss as SoftMarginLoss
from losskit.losses.masks import MaskBCELoss as MaskBCELoss
from losskit.losses.masks import MaskDiceLoss as MaskDiceLoss
from losskit.losses.multilabel import AsymmetricLoss as AsymmetricLoss
from losskit.losses.multilabel import AsymmetricSoftmaxLoss as AsymmetricSoftmaxLoss
from losskit.losses.multilabel import HingeLoss as HingeLoss
from losskit.losses.multilabel import TwoWayLoss as TwoWayLoss
from losskit.losses.multilabel import ZLPRLoss as ZLPRLoss
from losskit.losses.noisy_labels import BiTemperedLoss as BiTemperedLoss
from losskit.losses.noisy_labels import NegativeLearningLoss as NegativeLearningLoss
from losskit.losses.noisy_labels import NormalizedLoss as NormalizedLoss
from losskit.losses.noisy_labels import PartialLabelLoss as PartialLabelLoss
from losskit.losses.noisy_labels import PULoss as PULoss
from losskit.losses.noisy_labels import ReverseCrossEntropyLoss as ReverseCrossEntropyLoss
from losskit.losses.noisy_labels import SymmetricCrossEntropyLoss as SymmetricCrossEntropyLoss
from losskit.losses.noisy_labels import TaylorCrossEntropyLoss as TaylorCrossEntropyLoss
from losskit.losses.ordinal import CoralLoss as CoralLoss
from losskit.losses.ordinal import CornLoss as CornLoss
from losskit.losses.ordinal import OrdinalEMDLoss as OrdinalEMDLoss
from losskit.losses.overlap import FBetaLoss as FBetaLoss
from losskit.losses.overlap import GeneralizedDiceLoss as GeneralizedDiceLoss
from losskit.losses.overlap import GeneralizedWassersteinDiceLoss as GeneralizedWassersteinDiceLoss
from losskit.losses.overlap import LogCoshDiceLoss as LogCoshDiceLoss
from losskit.losses.overlap import MCCLoss as MCCLoss
from losskit.losses.overlap import NoiseRobustDiceLoss as NoiseRobustDiceLoss
from losskit.losses.overlap import SensitivitySpecificityLoss as SensitivitySpecificityLoss
from losskit.losses.points import sample_points as sample_points
from losskit.losses.points import uncertain_points as uncertain_points
from losskit.losses.pooled import BalancedMSELoss as BalancedMSELoss
from losskit.losses.pooled import BerHuLoss as BerHuLoss
from losskit.losses.pooled import ConcordanceLoss as ConcordanceLoss
from losskit.losses.pooled import PearsonLoss as PearsonLoss
from losskit.losses.pooled import RMSELoss as RMSELoss
from losskit.losses.pooled import SILogLoss as SILogLoss
from losskit.losses.ranked import LovaszLoss as LovaszLoss
from losskit.losses.region import DiceLoss as DiceLoss
from losskit.losses.region import FocalTverskyLoss as FocalTverskyLoss
from losskit.losses.region import IoULoss as IoULoss
from losskit.losses.region import JaccardLoss as JaccardLoss
from losskit.losses.region import TverskyLoss as TverskyLoss
from losskit.losses.regression import CharbonnierLoss as CharbonnierLoss
from losskit.losses.regression import GaussianNLLLoss as GaussianNLLLoss
from losskit.losses.regression import HuberLoss as HuberLoss
from losskit.losses.regression import L1Loss as L1Loss
from losskit.losses.regression import LogCoshLoss as LogCoshLoss
from losskit.losses.regression import MSELoss as MSELoss
from losskit.losses.regression import PoissonNLLLoss as PoissonNLLLoss
from losskit.losses.regression import SmoothL1Loss as SmoothL1Loss
from losskit.losses.robust import AdaptiveWingLoss as AdaptiveWingLoss
from losskit.losses.robust import BalancedL1Loss as BalancedL1Loss
from losskit.losses.robust import CauchyLoss as CauchyLoss
from losskit.losses.robust import GemanMcClureLoss as GemanMcClureLoss
from losskit.losses.robust import RobustLoss as RobustLoss
from losskit.losses.robust import TukeyLoss as TukeyLoss
from losskit.losses.robust import WelschLoss as WelschLoss
from losskit.losses.robust import WingLoss as WingLoss
from losskit.losses.sequence import CTCLoss as CTCLoss
from losskit.losses.similarity import CosineEmbeddingLoss as CosineEmbeddingLoss
from losskit.losses.similarity import TripletMarginLoss as TripletMarginLoss
from losskit.losses.sparse import EntmaxLoss as EntmaxLoss
from losskit.losses.sparse import SparsemaxLoss as SparsemaxLoss
from losskit.losses.structure import ActiveBoundaryLoss as ActiveBoundaryLoss
from losskit.losses.structure import ActiveContourLoss as ActiveContourLoss
from losskit.losses.structure import RMILoss as RMILoss
from losskit.losses.structure import StructureLoss as StructureLoss
from losskit.losses.topology import CLDiceLoss as CLDiceLoss
from losskit.losses.topology import DiceCLDiceLoss as DiceCLDiceLoss
from losskit.losses.topology import SkeletonRecallLoss as SkeletonRecallLoss
from losskit.ops.explain import explain as explain
from losskit.ops.native import LosskitWarning as LosskitWarning
from losskit.ops.values import flush_errors as flush_errors
from losskit.version import __version__ as __version__

if TYPE_CHECKING:
    from losskit.checker import check as check
    from losskit.experiment import compare as compare
else:

    def __getattr__(name):
        """Import `losskit.compare` and `losskit.check` on first access."""
        if name == "compare":
            from losskit.experiment import compare as found
        elif name == "check":
            from losskit.checker import check as found
        else:
            raise AttributeError(f"module 'losskit' has no attribute {name!r}")
        return found

    def __dir__():
        """The public names."""
        public = {"check", "compare", "compose", "distributed", "functional", "__version__"}
        named = {n for n, v in globals().items() if callable(v) and not n.startswith("_")}
        return sorted(public | named)
