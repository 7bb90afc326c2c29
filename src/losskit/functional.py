"""The function form of every loss: the same computation as the class, options as keyword arguments."""

from losskit.core.kit import function_form, tensors_form
from losskit.losses import (
    adaptive,
    boxes,
    calibration,
    classification,
    combined,
    derivative,
    detection,
    distances,
    distribution,
    forecast,
    keypoints,
    likelihood,
    long_tail,
    margin,
    masks,
    multilabel,
    noisy_labels,
    ordinal,
    overlap,
    pooled,
    ranked,
    region,
    regression,
    robust,
    sequence,
    similarity,
    sparse,
    structure,
    topology,
)

mse_loss = function_form(regression.MSELoss)
l1_loss = function_form(regression.L1Loss)
smooth_l1_loss = function_form(regression.SmoothL1Loss)
huber_loss = function_form(regression.HuberLoss)
log_cosh_loss = function_form(regression.LogCoshLoss)
charbonnier_loss = function_form(regression.CharbonnierLoss)
gaussian_nll_loss = tensors_form(regression.GaussianNLLLoss)
poisson_nll_loss = function_form(regression.PoissonNLLLoss)

dice_loss = function_form(region.DiceLoss)
jaccard_loss = function_form(region.JaccardLoss)
iou_loss = jaccard_loss
tversky_loss = function_form(region.TverskyLoss)
focal_tversky_loss = function_form(region.FocalTverskyLoss)

binary_cross_entropy_with_logits = function_form(classification.BCEWithLogitsLoss)
cross_entropy = function_form(classification.CrossEntropyLoss)
nll_loss = function_form(classification.NLLLoss)
focal_loss = function_form(classification.FocalLoss)
mean_focal_loss = function_form(classification.MeanFocalLoss)
poly_loss = function_form(classification.PolyLoss)
focal_cosine_loss = function_form(classification.FocalCosineLoss)
generalized_cross_entropy_loss = function_form(classification.GeneralizedCrossEntropyLoss)
symmetric_cross_entropy_loss = function_form(noisy_labels.SymmetricCrossEntropyLoss)

dice_bce_loss = function_form(combined.DiceBCELoss)
dice_ce_loss = function_form(combined.DiceCELoss)
dice_focal_loss = function_form(combined.DiceFocalLoss)
combo_loss = function_form(combined.ComboLoss)
generalized_dice_focal_loss = function_form(combined.GeneralizedDiceFocalLoss)
exp_log_loss = function_form(combined.ExpLogLoss)
unified_focal_loss = function_form(combined.UnifiedFocalLoss)

lovasz_loss = function_form(ranked.LovaszLoss)

margin_ranking_loss = tensors_form(margin.MarginRankingLoss)
hinge_embedding_loss = function_form(margin.HingeEmbeddingLoss)
soft_margin_loss = function_form(margin.SoftMarginLoss)
multi_margin_loss = function_form(margin.MultiMarginLoss)
multilabel_margin_loss = function_form(margin.MultiLabelMarginLoss)
multilabel_soft_margin_loss = function_form(margin.MultiLabelSoftMarginLoss)
cosine_embedding_loss = tensors_form(similarity.CosineEmbeddingLoss)
triplet_margin_loss = tensors_form(similarity.TripletMarginLoss)
kl_div = function_form(distribution.KLDivLoss)
ctc_loss = tensors_form(sequence.CTCLoss)

sobolev_loss = tensors_form(derivative.SobolevLoss)
grid_sobolev_loss = function_form(derivative.GridSobolevLoss)

mask_dice_loss = tensors_form(masks.MaskDiceLoss)
mask_bce_loss = tensors_form(masks.MaskBCELoss)

robust_loss = function_form(robust.RobustLoss)
cauchy_loss = function_form(robust.CauchyLoss)
geman_mcclure_loss = function_form(robust.GemanMcClureLoss)
welsch_loss = function_form(robust.WelschLoss)
tukey_loss = function_form(robust.TukeyLoss)
wing_loss = function_form(robust.WingLoss)
adaptive_wing_loss = function_form(robust.AdaptiveWingLoss)
balanced_l1_loss = function_form(robust.BalancedL1Loss)

quantile_loss = function_form(forecast.QuantileLoss)
expectile_loss = function_form(forecast.ExpectileLoss)
msle_loss = function_form(forecast.MSLELoss)
mape_loss = function_form(forecast.MAPELoss)
smape_loss = function_form(forecast.SMAPELoss)
tweedie_loss = function_form(forecast.TweedieLoss)
gamma_nll_loss = function_form(likelihood.GammaNLLLoss)
ensemble_crps_loss = function_form(forecast.EnsembleCRPSLoss)
relative_lp_loss = function_form(forecast.RelativeLpLoss)

laplace_nll_loss = tensors_form(likelihood.LaplaceNLLLoss)
student_t_nll_loss = tensors_form(likelihood.StudentTNLLLoss)
beta_nll_loss = tensors_form(likelihood.BetaNLLLoss)
negative_binomial_nll_loss = tensors_form(likelihood.NegativeBinomialNLLLoss)
crps_loss = tensors_form(likelihood.CRPSLoss)
evidential_loss = tensors_form(likelihood.EvidentialLoss)
mixture_nll_loss = tensors_form(likelihood.MixtureNLLLoss)

rmse_loss = function_form(pooled.RMSELoss)
silog_loss = function_form(pooled.SILogLoss)
pearson_loss = function_form(pooled.PearsonLoss)
concordance_loss = function_form(pooled.ConcordanceLoss)
balanced_mse_loss = function_form(pooled.BalancedMSELoss)
berhu_loss = function_form(pooled.BerHuLoss)

box_iou_loss = function_form(boxes.BoxIoULoss)
giou_loss = function_form(boxes.GIoULoss)
diou_loss = function_form(boxes.DIoULoss)
ciou_loss = function_form(boxes.CIoULoss)
eiou_loss = function_form(boxes.EIoULoss)
siou_loss = function_form(boxes.SIoULoss)
alpha_iou_loss = function_form(boxes.AlphaIoULoss)
wiou_loss = function_form(boxes.WIoULoss)
wasserstein_box_loss = function_form(boxes.WassersteinBoxLoss)
mpdiou_loss = function_form(boxes.MPDIoULoss)
prob_iou_loss = function_form(boxes.ProbIoULoss)
oks_loss = tensors_form(keypoints.OKSLoss)

taylor_cross_entropy_loss = function_form(noisy_labels.TaylorCrossEntropyLoss)
reverse_cross_entropy_loss = function_form(noisy_labels.ReverseCrossEntropyLoss)
partial_label_loss = tensors_form(noisy_labels.PartialLabelLoss)
negative_learning_loss = function_form(noisy_labels.NegativeLearningLoss)
normalized_loss = function_form(noisy_labels.NormalizedLoss)
bi_tempered_loss = function_form(noisy_labels.BiTemperedLoss)
pu_loss = function_form(noisy_labels.PULoss)

balanced_softmax_loss = function_form(long_tail.BalancedSoftmaxLoss)
logit_adjusted_loss = function_form(long_tail.LogitAdjustedLoss)
ldam_loss = function_form(long_tail.LDAMLoss)
balanced_bce_loss = function_form(long_tail.BalancedBCELoss)
distribution_balanced_loss = function_form(long_tail.DistributionBalancedLoss)
aucm_loss = function_form(long_tail.AUCMLoss)

seesaw_loss = function_form(adaptive.SeesawLoss)
equalization_loss = function_form(adaptive.EqualizationLoss)
ghm_loss = function_form(adaptive.GHMLoss)

quality_focal_loss = function_form(detection.QualityFocalLoss)
varifocal_loss = function_form(detection.VarifocalLoss)
gaussian_focal_loss = function_form(detection.GaussianFocalLoss)
distribution_focal_loss = tensors_form(detection.DistributionFocalLoss)

asymmetric_loss = function_form(multilabel.AsymmetricLoss)
asymmetric_softmax_loss = function_form(multilabel.AsymmetricSoftmaxLoss)
hinge_loss = function_form(multilabel.HingeLoss)
zlpr_loss = function_form(multilabel.ZLPRLoss)
two_way_loss = function_form(multilabel.TwoWayLoss)

margin_smoothing_loss = function_form(calibration.MarginSmoothingLoss)
confidence_penalty_loss = function_form(calibration.ConfidencePenaltyLoss)
z_loss = function_form(calibration.ZLoss)
jsd_consistency_loss = function_form(calibration.JSDConsistencyLoss)
evidential_classification_loss = function_form(calibration.EvidentialClassificationLoss)

sparsemax_loss = function_form(sparse.SparsemaxLoss)
entmax_loss = function_form(sparse.EntmaxLoss)

coral_loss = function_form(ordinal.CoralLoss)
corn_loss = function_form(ordinal.CornLoss)
ordinal_emd_loss = function_form(ordinal.OrdinalEMDLoss)

fbeta_loss = function_form(overlap.FBetaLoss)
mcc_loss = function_form(overlap.MCCLoss)
log_cosh_dice_loss = function_form(overlap.LogCoshDiceLoss)
generalized_dice_loss = function_form(overlap.GeneralizedDiceLoss)
sensitivity_specificity_loss = function_form(overlap.SensitivitySpecificityLoss)
noise_robust_dice_loss = function_form(overlap.NoiseRobustDiceLoss)
generalized_wasserstein_dice_loss = function_form(overlap.GeneralizedWassersteinDiceLoss)

boundary_loss = function_form(distances.BoundaryLoss)
hausdorff_loss = function_form(distances.HausdorffLoss)
erosion_hausdorff_loss = function_form(distances.ErosionHausdorffLoss)

cldice_loss = function_form(topology.CLDiceLoss)
dice_cldice_loss = function_form(topology.DiceCLDiceLoss)
skeleton_recall_loss = function_form(topology.SkeletonRecallLoss)

structure_loss = function_form(structure.StructureLoss)
rmi_loss = function_form(structure.RMILoss)
active_contour_loss = function_form(structure.ActiveContourLoss)
active_boundary_loss = function_form(structure.ActiveBoundaryLoss)


def __dir__() -> list[str]:
    """The public names, without the modules that define them."""
    return sorted(name for name, value in globals().items() if hasattr(value, "Module"))
