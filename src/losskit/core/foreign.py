"""What other libraries call our options: the answer to a constructor pasted from one of them."""

FOREIGN_NAMES = {
    # MONAI
    "to_onehot_y": "class indices are read as they are, never expanded; leave it out.",
    "sigmoid": "losses take logits; one channel means sigmoid, several ask for mode='multilabel'.",
    "softmax": "losses take logits; class indices mean softmax, one-hot targets ask for mode='multiclass'.",
    "use_softmax": "losses take logits; class indices mean softmax, one-hot targets ask for mode='multiclass'.",
    "other_act": "apply it to the model's output and pass from_logits=False.",
    "squared_pred": "it is squared=True (Dice).",
    "jaccard": "use JaccardLoss.",
    "smooth_nr": "smooth is added to the numerator and the denominator; MONAI's smooth_nr = smooth_dr is smooth here.",
    "smooth_dr": "smooth is added to the numerator and the denominator; MONAI's smooth_nr = smooth_dr is smooth here.",
    "batch": "it is pool='batch' (True) or pool='sample' (False).",
    "soft_label": "it is overlap='l1'.",
    "lambda_dice": "it is dice_weight.",
    "lambda_ce": "it is ce_weight.",
    "lambda_focal": "it is focal_weight.",
    # segmentation_models_pytorch, pytorch_toolbelt
    "classes_weights": "it is class_weight.",
    "class_weights": "it is class_weight.",
    "log_loss": "it is log=True (Dice).",
    "eps": "there is none: nothing here divides by zero.",
    "smooth_factor": "it is label_smoothing; smp's BCE smooth_factor e is label_smoothing 2e.",
    "per_image": "it is pool='sample' (True) or pool='batch' (False).",
    "normalized": "divide by what you like with normalizer= at the call.",
    # PyTorch
    "weight": "per-class weights are class_weight; per-element weights are given at the call, as weight=.",
    "size_average": "it is reduction='mean' or 'sum'.",
    "reduce": "it is reduction='none'.",
    "logits": "use from_logits.",
    "num_classes": "the number of classes is read from the input.",
    "ignore_label": "it is ignore_index.",
    "lambda_": "multiply the loss: 0.5 * loss.",
}
