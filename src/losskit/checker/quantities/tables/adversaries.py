"""Adversarial losses: terms of real and generated samples, interpolates, gradient penalties."""

from losskit.checker.quantities.forms import EPS, measured, quantity

REAL = (
    r"(d_?|pred_?|disc_?|critic_?|logits?_?|score_?|out(puts?)?_?|c_?|"
    r"y_?)?real(_?(out(puts?)?|logits?|preds?|scores?|validity|d|pred))?|d_?x|real_?\w*"
)
FAKE = (
    r"(d_?|pred_?|disc_?|critic_?|logits?_?|score_?|out(puts?)?_?|c_?|y_?)?(fake|"
    r"generated)(_?(out(puts?)?|logits?|preds?|scores?|validity|d|pred))?|d_?(g|g_?z|gz)|fake_?\w*"
)
LOSS_REAL = r"(d_?)?loss_?(d_?)?(real|r)|(d_?)?(real|r)_?loss|err_?d_?real|real_term"
LOSS_FAKE = r"(d_?)?loss_?(d_?)?(fake|f)|(d_?)?(fake|f)_?loss|err_?d_?fake|fake_term"
TERMS = (
    ("(1 - r).clamp_min(0)", "(1 + f).clamp_min(0)", "-f"),
    ("log1p(exp(-r))", "log1p(exp(f))", "log1p(exp(-f))"),
    ("(r - 1) ** 2", "f ** 2", "(f - 1) ** 2"),
    ("(r - 1) ** 2", "(f + 1) ** 2", "f ** 2"),
    ("-r", "f", "-f"),
    ("-log(r.clamp(1e-6, 1))", "-log((1 - f).clamp(1e-6, 1))", "-log(f.clamp(1e-6, 1))"),
    ("-r.clamp_max(1)", "f.clamp_min(-1)", "-f"),
    ("(0.9 - r) ** 2", "f ** 2", "(f - 0.9) ** 2"),
)
quantity(
    "the term of the real samples", LOSS_REAL, {"r": REAL}, *(each[0] for each in TERMS), factor=True, reduced=True
)
quantity(
    "the term of the generated samples", LOSS_FAKE, {"f": FAKE}, *(each[1] for each in TERMS), factor=True, reduced=True
)
D_LOSS = (
    r"(d|disc(riminator)?|critic|dis)_?loss|loss_?(d|disc(riminator)?|critic|dis)|err_?d|"
    r"d_?cost|hinge_d\w*|d_hinge\w*|wasserstein_d\w*|discriminator"
)
quantity(
    "the loss of the discriminator",
    D_LOSS,
    {"a": LOSS_REAL, "b": LOSS_FAKE, "r": REAL, "f": FAKE},
    "a + b",
    "a.mean() + b.mean()",
    "a.sum() + b.sum()",
    *(f"({real}).mean() + ({fake}).mean()" for real, fake, _ in TERMS),
    *(f"{real} + {fake}" for real, fake, _ in TERMS),
    *(f"({real}).sum() + ({fake}).sum()" for real, fake, _ in TERMS),
    "f.mean() - r.mean() + 0.001 * r.pow(2).mean()",
    "log1p(exp(f - r))",
    "(1 - (r - f)).clamp_min(0)",
    "((r - f.mean() - 1) ** 2).mean() + ((f - r.mean() + 1) ** 2).mean()",
    "(1 - (r - f.mean())).clamp_min(0).mean() + (1 + (f - r.mean())).clamp_min(0).mean()",
    "log1p(exp(-(r - f.mean()))).mean() + log1p(exp(f - r.mean())).mean()",
    factor=True,
    reduced=True,
)
quantity(
    "the loss of the generator",
    (
        r"(g|gen(erator)?)_?(adv_?)?loss|loss_?(g|gen(erator)?)(_?adv)?|err_?g|g_?cost|"
        r"hinge_g\w*|g_hinge\w*|wasserstein_g\w*|adv_?loss|loss_?adv"
    ),
    {"f": FAKE},
    *(each[2] for each in TERMS),
    "log((1 - f).clamp(1e-6, 1))",
    "(1 - f).clamp_min(0)",
    factor=True,
    reduced=True,
)
quantity(
    "the estimate of the Wasserstein distance",
    r"wasserstein(_?(d|dist\w*|est\w*))?|w_?(dist\w*|dis|d)|emd|em_dist\w*",
    {"r": REAL, "f": FAKE},
    "r.mean() - f.mean()",
    "r - f",
)
X_REAL = r"reals?(_?(samples?|data|images?|imgs?|x|batch|videos?))?|x_?(real|r|1|0)?|(images?|imgs?|data)_?real|y"
X_FAKE = (
    r"fakes?(_?(samples?|data|images?|imgs?|x|batch|videos?))?|x_?(fake|f|hat|gen\w*)|"
    r"(images?|imgs?|data)_?fake|gen(erated)?(_\w+)?|x_tilde"
)
quantity(
    "the samples between real and generated ones",
    (
        r"interp(olat(e|es|ed|ion|ions))?(_?\w+)?|x_?(hat|interp\w*|mix\w*|i)|mixed(_\w+)?|"
        r"inter(s|_x)?|between|x_between|blend(ed)?|x_bar"
    ),
    {"e": r"alphas?|eps(ilon)?|u|t|weights?|theta|beta|w|a", "r": X_REAL, "f": X_FAKE},
    *(
        f"{e} * {one} + (1 - {e}) * {two}"
        for e in ("e", "(e + zeros(1)).reshape(-1, *[1] * (r.dim() - 1))")
        for one, two in (("r", "f"), ("f", "r"))
    ),
)
GRAD = r"(g|grads?|gradients?)(_?(flat|x|real|interp\w*|d|out\w*|r|f|input|list))?|(input|real|x|r1)_?grads?"
NORM = r"(grad(ient)?s?|g)_?norms?|norms?|slopes?|gradients?_?(l2_?)?norms?|gnorm|l2norm"
NORMS = (
    "g.flatten(1).norm(2, 1)",
    "(g.flatten(1).pow(2).sum(1) + eps).sqrt()",
    "(g.flatten(1).pow(2).sum(1) + 1e-12).sqrt()",
)
LAM = r"lam(b?da?)?(_?gp)?|lambda_\w+|gp_?(weight|lambda|coef\w*)|weight|coef\w*|(r1_?)?gamma|penalty_weight"
quantity(
    "the norms of the gradients",
    NORM,
    {"g": GRAD, "eps": EPS},
    *NORMS,
    "g.flatten(1).pow(2).sum(1)",
    "g.norm()",
    "g.flatten(2).norm(2, 2)",
    "(g.flatten(1) + 1e-12).norm(2, 1)",
)
quantity(
    "the gradient penalty",
    (
        r"gp(_?loss)?|grad(ient)?_?(penalty|pen)(_?loss)?|loss_?gp|r1(_?(penalty|loss|reg))?|"
        r"grad(ient)?_?pen\w*|gradient_penalty|compute_gradient_penalty|(drift|lipschitz)_?penalty"
    ),
    {"n": NORM, "g": GRAD, "lam": LAM, "target": r"target|k|center|constant", "eps": EPS},
    *(
        form
        for norm in ("n", *NORMS)
        for form in (
            f"({norm} - 1) ** 2",
            f"({norm} - 1).clamp_min(0) ** 2",
            f"{norm} ** 2",
            f"({norm} - 1) ** 2 + 0 * lam",
            f"({norm} - 1).clamp_min(0) ** 2 + 0 * lam",
            f"{norm} ** 2 + 0 * lam",
            f"({norm} - target) ** 2",
            f"({norm} - target) ** 2 + 0 * lam",
        )
    ),
    "n",
    "n + 0 * lam",
    factor=True,
    reduced=True,
)
measured(
    "the mixture of two samples",
    (
        r"mix(ed)?_?(x|inputs?|imgs?|images?|y|targets?|labels?|data|batch)?|x_?mix(ed)?|"
        r"y_?mix(ed)?|(inputs?|images?|targets?|labels?)_?mix(ed)?"
    ),
    {
        "lam": r"lam(b?da?)?|alpha|l|mix_?(ratio|lam\w*|weight)|ratio|beta",
        "b": (
            r"(x|y|img|inputs?|targets?|labels?)_?(2|b|perm(uted)?|shuffled?|j|flip\w*)|shuffled\w*|"
            r"(perm|rolled|b)_?\w+"
        ),
        "i": r"perm(utation)?|index|indices|idx|rand_?\w+|order",
        "a": r"(x|y|img|imgs|inputs?|images?|targets?|labels?|data|one_?hot\w*)_?(1|a|i)?",
    },
    *(
        f"{w} * {one} + (1 - {w}) * {two}"
        for w in ("lam", "(lam + zeros(1)).reshape(-1, *[1] * (a.dim() - 1))")
        for first, second in (
            ("a", "b"),
            ("a", "a[i.long()]"),
            ("a", "a.flip(0)"),
            ("a", "a.roll(1, 0)"),
            ("a", "a.roll(-1, 0)"),
        )
        for one, two in ((first, second), (second, first))
    ),
)
quantity(
    "the loss of a mixture",
    r"loss(es)?|mix(ed|up)?_?loss|loss_?mix\w*|mixup\w*",
    {
        "lam": r"lam(b?da?)?|mix_?(ratio|lam\w*)",
        "a": r"(loss|ce|l)_?(a|1)|[ay]_?(loss|ce)",
        "b": r"(loss|ce|l)_?(b|2)|b_?(loss|ce)",
    },
    "lam * a + (1 - lam) * b",
    "lam * b + (1 - lam) * a",
    reduced=True,
)
