"""Gradients of images: differences of neighbours, variations, weights at edges."""

from losskit.checker.quantities.forms import measured, quantity

IMAGE = (
    r"(x|img|imgs|images?|disps?|depths?|preds?|inputs?|outputs?|gray|u|flow|y_pred|im|d|"
    r"target|gt|gen_\w+|y|mean_disp|norm_disp|pred_depth|field)"
)
SHIFTS = {
    "x": (
        "x[..., 1:] - x[..., :-1]",
        "(x[..., 2:] - x[..., :-2])",
        "x[..., 1:, :] - x[..., :-1, :]",
        "x[..., 2:, :] - x[..., :-2, :]",
        "x[..., :-1, 1:] - x[..., :-1, :-1]",
        "x[..., 1:, :-1] - x[..., :-1, :-1]",
        "x[..., 1:, 1:] - x[..., 1:, :-1]",
        "x[..., 1:, 1:] - x[..., :-1, 1:]",
    ),
}
STEPS = (*SHIFTS["x"], "x[..., 1:, :, :] - x[..., :-1, :, :]", "x[:, 1:] - x[:, :-1]", "x[1:] - x[:-1]")
NAMES = (
    r"((\w+_)?(d|diff|grad(ient)?|delta)_?[xyhw]|[xyhw]_?(diff|grad(ient)?|tv)|"
    r"grad_\w+_[xy]|g[xy]|d_d[xy]|tv_?[hwxy]|pixel_dif\w*)"
)
quantity(
    "the differences of neighbours",
    NAMES,
    {"x": IMAGE},
    *(
        form.format(step)
        for step in STEPS
        for form in (
            "{}",
            "-({})",
            "({}).abs()",
            "({}).pow(2)",
            "({}) / 2",
            "({}).abs().mean(1)",
            "({}).abs().sum(1)",
            "({}).abs().mean()",
            "({}).abs().sum()",
            "({}).pow(2).mean()",
            "({}).pow(2).sum()",
            "({}).abs().flatten(1).sum(1)",
            "({}).pow(2).flatten(1).sum(1)",
            "({}).abs().flatten(1).mean(1)",
            "({}).pow(2).sum(1)",
            "exp(-({}).abs())",
            "exp(-({}).abs().mean(1))",
        )
    ),
)
for names, step in (
    (r"h_?(tv|variation|variance)|tv_?h", "x[..., 1:, :] - x[..., :-1, :]"),
    (r"w_?(tv|variation|variance)|tv_?w", "x[..., 1:] - x[..., :-1]"),
):
    measured(
        f"the variation along the {'height' if names[0] == 'h' else 'width'}",
        names,
        {"x": IMAGE},
        f"({step}).pow(2)",
        f"({step}).abs()",
        f"({step}).pow(2).flatten(1).sum(1)",
        f"({step}).abs().flatten(1).sum(1)",
        f"({step}).pow(2).flatten(1).mean(1)",
    )
measured(
    "the total variation",
    r"tv|tv_?loss|total_?variation|loss_?tv|(smooth\w*)(_loss)?|loss_?smooth\w*",
    {
        "h": (
            r"(h|y|dy|dh|row|vertical|v)_?(tv|var\w*|diff|loss|term|grad|smooth\w*)|tv_?[hy]|"
            r"(smooth\w*|grad|diff|loss)_?[hy]|d[yh]|grad_y|g_?y"
        ),
        "w": (
            r"(w|x|dx|dw|col|horizontal)_?(tv|var\w*|diff|loss|term|grad|smooth\w*)|tv_?[wx]|"
            r"(smooth\w*|grad|diff|loss)_?[wx]|d[xw]|grad_x|g_?x"
        ),
        "n": r"count_?h|n_?h|num_?h",
        "k": r"count_?w|n_?w|num_?w",
    },
    "h + w",
    "h / n + w / k",
    "h.mean() + w.mean()",
    "h.abs().mean() + w.abs().mean()",
    "h.pow(2).mean() + w.pow(2).mean()",
    "h.sum() + w.sum()",
    "h.abs().sum() + w.abs().sum()",
    "h.pow(2).sum() + w.pow(2).sum()",
    "h.abs().flatten(1).sum(1) + w.abs().flatten(1).sum(1)",
    "h.abs().flatten(1).mean(1) + w.abs().flatten(1).mean(1)",
    "h.flatten(1).mean(1) + w.flatten(1).mean(1)",
    "(h.pow(2) + w.pow(2)).sqrt()",
    "h.abs() + w.abs()",
    "h.pow(2) + w.pow(2)",
    factor=True,
)
quantity(
    "the weights at edges",
    (
        r"(edge_?|smooth\w*_?|img_?)?weights?_?(x|y|h|w|dx|dy)|w_?[xy]|(x|y)_?weights?|"
        r"edge_?(weights?|aware\w*)(_?[xy])?"
    ),
    {
        "g": (
            r"(img|image|i|rgb)_?(grad(ient)?s?|d|diff|g)_?(x|y|dx|dy)|(grad(ient)?s?|d|diff)_?(img|"
            r"image|i|rgb)_?(x|y)|(image|img|i)_?d[xy]|d[xy]_(img|image|i)|grad_[xy]"
        ),
        "alpha": r"alpha|beta|edge_\w+|gamma|lam\w*|sigma|k|edge_const\w*",
    },
    "exp(-abs(g))",
    "exp(-abs(g).mean(1))",
    "exp(-abs(g).mean(1)).unsqueeze(1)",
    "exp(-abs(g).sum(1))",
    "exp(-abs(g).amax(1))",
    "exp(-g.pow(2))",
    "exp(-g.pow(2).mean(1))",
    "exp(-g.pow(2).sum(1))",
    "exp(-alpha * abs(g))",
    "exp(-abs(alpha * g))",
    "exp(-abs(alpha * g).mean(1))",
    "exp(-alpha * abs(g).mean(1))",
    "exp(-alpha * g)",
    "exp(-abs(g) / alpha)",
    "exp(-abs(g).mean(1) / alpha)",
    "exp(-alpha * g.pow(2))",
    "exp(-alpha * abs(g).sum(1))",
    "exp(-alpha * g.pow(2).mean(1))",
    "exp(-g)",
)
