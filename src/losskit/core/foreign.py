"""Option names of other libraries, with the advice that the error for each of them gives."""

FOREIGN_NAMES = {
    # MONAI
    "to_onehot_y": "class indices are read as they are; leave it out.",
    "sigmoid": "losses take logits; one channel means sigmoid, and for several pass mode='multilabel'.",
    "softmax": "losses take logits; class indices mean softmax, one-hot targets need mode='multiclass'.",
    "use_softmax": "losses take logits; class indices mean softmax, one-hot targets need mode='multiclass'.",
    "other_act": "apply it to the model's output and pass from_logits=False.",
    "activation": "losses take logits; apply any other activation to the model's output and pass from_logits=False.",
    "w_type": "it weights the classes of a sample by their volume; write a RegionLoss with per_sample(total), in "
    "which total.target is the volume.",
    "lambda_gdl": "multiply the loss instead: 0.5 * loss.",
    "squared_pred": "it is squared=True (Dice).",
    "jaccard": "use JaccardLoss.",
    "smooth_nr": "smooth is added to the numerator and the denominator; MONAI's smooth_nr = smooth_dr is smooth here.",
    "smooth_dr": "smooth is added to the numerator and the denominator; MONAI's smooth_nr = smooth_dr is smooth here.",
    "batch": "it is pool='batch' (True) or pool='sample' (False).",
    "soft_label": "it is overlap='l1'.",
    "lambda_dice": "it is dice_weight.",
    "lambda_ce": "it is ce_weight.",
    "lambda_focal": "it is focal_weight.",
    "include_background": "every class counts here; class_weight=[0.0, 1.0, ...] leaves class 0 out.",
    # nnU-Net
    "batch_dice": "it is pool='batch' (True) or pool='sample' (False).",
    "do_bg": "it is include_background.",
    "apply_nonlin": "losses take logits; leave it out, or pass from_logits=False for probabilities.",
    "weight_dice": "it is dice_weight.",
    "weight_ce": "it is ce_weight.",
    "soft_dice_kwargs": "the options of both parts are options of the sum.",
    "ce_kwargs": "the options of both parts are options of the sum.",
    "bce_kwargs": "the options of both parts are options of the sum.",
    "ddp": "wrap the loss in losskit.distributed.sync(criterion).",
    # segmentation_models_pytorch, pytorch_toolbelt
    "classes_weights": "it is class_weight.",
    "class_weights": "it is class_weight.",
    "log_loss": "it is log=True in DiceLoss; for the logarithm of another index, define the formula with "
    "@losskit.region_loss.",
    "eps": "there is none: nothing here divides by zero.",
    "smooth_factor": "it is label_smoothing; smp's BCE smooth_factor e is label_smoothing 2e.",
    "per_image": "it is pool='sample' (True) or pool='batch' (False).",
    "reduced_threshold": "there is none; gamma alone down-weights well-classified elements.",
    "softmax_dim": "classes are dimension 1; pass input.movedim(-1, 1) where they come last.",
    "dim": "classes are dimension 1; pass input.movedim(-1, 1) where they come last.",
    "dims": "regions are pooled with pool='sample' or pool='batch'.",
    "normalized": "divide by what you like with normalizer= at the call.",
    # timm, kornia, Keras, MMSegmentation
    "smoothing": "it is label_smoothing.",
    "smooth_dense": "label_smoothing smooths soft and hard targets alike.",
    "sum_classes": "the mean is over every element; multiply the loss by the number of classes.",
    "target_threshold": "compare the target yourself: (target > 0.5).",
    "average": "classes are averaged ('macro'); for 'micro', kornia's default, write a RegionLoss with "
    "per_sample(total) that adds the totals of the classes first.",
    "axis": "classes are dimension 1; pass input.movedim(-1, 1) where they come last.",
    "apply_class_balancing": "it is alpha; None leaves classes unweighted.",
    "epsilon": "there is none: nothing here divides by zero.",
    "use_sigmoid": "losses take logits; one channel means sigmoid, several need mode='multilabel'.",
    "loss_weight": "multiply the loss instead: 0.5 * loss.",
    "avg_non_ignore": "means are always over the elements that count; leave it out.",
    # PyTorch
    "weight": "per-class weights are class_weight; per-element weights are given at the call, as weight=.",
    "size_average": "it is reduction='mean' or 'sum'.",
    "reduce": "it is reduction='none' (False) or reduction='mean' (True).",
    "weights": "per-class weights are class_weight; per-element weights are given at the call, as weight=.",
    "pos_weights": "it is pos_weight.",
    "pos_weight": "only BCEWithLogitsLoss has it; a focal loss with weight w of the positives is (1 + w) * "
    "FocalLoss(alpha=w / (1 + w)).",
    "logits": "use from_logits.",
    "num_classes": "the number of classes is read from the input; leave it out.",
    "n_classes": "the number of classes is read from the input; leave it out.",
    "ignore_label": "it is ignore_index.",
    "ignore_value": "it is ignore_index.",
    "ignore": "it is ignore_index.",
    "threshold": "losses take no threshold; criterion.score thresholds at a half.",
    "lambda_": "multiply the loss: 0.5 * loss.",
}

# Advice for values of options.
FOREIGN_VALUES = {
    ("mode", "binary"): ". One channel is binary by itself: leave mode out.",
    ("reduction", "elementwise_mean"): '. Pass reduction="mean".',
    ("reduction", "batchmean"): '. Only KLDivLoss has it: pass reduction="mean".',
}
