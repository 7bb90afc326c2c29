"""Losses of the catalogue that the checker does not know yet, by the reason: a reviewed list, to become shorter."""

# What the checker does not know yet: it finds no inputs that these take, or judges them by the rules of another kind.
UNKNOWN = {
    "boxes and keypoints": {"oks_loss", "prob_iou_loss", "wiou_loss"},
    "parameters of distributions": {"evidential_loss", "mixture_nll_loss", "negative_binomial_nll_loss"},
    "numbers above 0, or their logarithms": {"gamma_nll_loss", "msle_loss", "silog_loss", "tweedie_loss"},
    "values of the whole batch": {
        "balanced_mse_loss",
        "berhu_loss",
        "concordance_loss",
        "relative_lp_loss",
        "rmse_loss",
    },
    "ordered classes": {"coral_loss", "corn_loss"},
    "members of an ensemble": {"ensemble_crps_loss"},
    "heatmaps": {"gaussian_focal_loss"},
    "margins between logits": {"margin_smoothing_loss"},
    "what mirror images share, or borders that have yet to move": {"active_boundary_loss", "rmi_loss"},
    "labels that are wrong": {"negative_learning_loss"},
    "labels of some classes alone": {"partial_label_loss"},
    "prices that are learnt, and 0 at first": {"aucm_loss"},
    "several views of a sample": {"jsd_consistency_loss"},
}
