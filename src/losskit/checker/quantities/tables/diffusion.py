"""Diffusion: noisy samples, targets, predictions and scores."""

from losskit.checker.quantities.forms import either_sign
from losskit.checker.quantities.quantity import quantity

ALPHA_BAR = (
    r"alphas?_?(cum_?prod|bars?|cumulative|hat|t_?bar|prod)(_t)?|(a|"
    r"alpha)_?bars?(_t)?|abar|alphas?_cumprod|a_?cum\w*|alpha_prod_t|ab"
)
STEP = r"t|ts|timesteps?|steps?|time_?steps?|time"
CLEAN = r"x_?0|x_?start|x_?clean|clean\w*|images?|latents?|original\w*|x|data|samples?|z_?0|y_?0|x_?data|inputs?"
NOISE = r"(rand(om)?_?)?(eps(ilon)?|noises?|z)(_?(t|true|target|gt))?"
PRED_NOISE = (
    r"(eps(ilon)?|noise)_?(pred(iction|icted)?|hat|theta|out(put)?)|(pred(icted)?|"
    r"model)_?(eps(ilon)?|noise)|eps|epsilon|noise|e_t|et|model_out(put)?"
)
NOISY = (
    r"x_?t|x_?noisy|noisy\w*|perturbed\w*|x_?tilde|z_?t|noised\w*|x_?(perturbed|"
    r"noised)|sample|xt|y_?t|latents?_noisy"
)
VELOCITY = r"(pred_?|model_?)?(v|velocity)(_?(pred|prediction|hat|t|theta|target))?|v_?t|model_out(put)?"
SIGMA = r"sigmas?(_?(t|i|batch|hat))?|noise_levels?|std|used_sigmas?|marginal_prob_std"
ALPHA = r"alphas?(_?t)?"


def _each(name: str, like: str) -> str:
    """A number for each sample, shaped for the samples."""
    return f"as_tensor({name}).reshape(-1, *[1] * ({like}.dim() - 1))"


def _scheduled(form: str, like: str, **numbers: str) -> list[str]:
    """A formula whose words in capitals are numbers for all, for each sample, or for the step of each."""
    made = []
    for shape in ("{}", "{}[t.long()]"):
        flat, wide = form, form
        for word, name in numbers.items():
            flat = flat.replace(word, shape.format(name))
            wide = wide.replace(word, _each(shape.format(name), like))
        made += [flat, wide]
    return made


_MIXED = [
    *_scheduled("sqrt(AB) * x + sqrt(1 - AB) * e", "x", AB="a"),
    *_scheduled("CC * x + SS * e", "x", CC="c", SS="s"),
    *_scheduled("x + SS * e", "x", SS="s"),
    *_scheduled("x + sqrt(SS) * e", "x", SS="w"),
    *_scheduled("(1 - SS) * x + SS * e", "x", SS="s"),
]
SCALES = {
    "a": ALPHA_BAR,
    "c": rf"{ALPHA}|sqrt_?(alphas?_?(cum_?prod|bars?|prod)|ab|a_?bar)(_t)?|signal_rates?|a_t",
    "s": rf"{SIGMA}|sqrt_?one_?minus_?\w+|sqrt_?1m\w*|sqrt_om\w*|noise_rates?|s_t",
    "t": STEP,
}
quantity("a noisy sample", NOISY, {**SCALES, "w": r"var|variance|sigma_?2", "e": NOISE, "x": CLEAN}, *_MIXED)
_BETWEEN = ("(1 - TT) * a + TT * b", "(1 - (1 - s) * TT) * a + TT * b", "(1 - TT) * a + TT * b + s * e")
quantity(
    "a sample between two",
    rf"{NOISY}|x_?(interp\w*|mid)|psi_?t|z_?t",
    {"t": STEP, "s": r"sigma(_?min)?|smin", "a": r"(x|z)_?0", "b": r"(x|z)_?1|target", "e": r"eps|noise|epsilon"},
    *_BETWEEN,
    *(each.replace("TT", _each("t", "a")) for each in _BETWEEN),
    *("(1 - t) * a + t * b", "t * b + (1 - (1 - s) * t) * a"),
)
_NOISED = ("(1 - TT) * x + TT * e", "(1 - TT) * e + TT * x", "(1 - (1 - s) * TT) * e + TT * x")
quantity(
    "a sample between noise and data",
    NOISY,
    {"t": STEP, "s": r"sigma_?min|smin", "e": NOISE, "x": CLEAN},
    *(form for each in _NOISED for form in (each.replace("TT", "t"), each.replace("TT", _each("t", "x")))),
)
quantity(
    "the velocity of a diffusion",
    rf"{VELOCITY}|targets?|v_targets?|target_v",
    {**SCALES, "e": NOISE, "x": CLEAN},
    *_scheduled("sqrt(AB) * e - sqrt(1 - AB) * x", "x", AB="a"),
    *_scheduled("CC * e - SS * x", "x", CC="c", SS="s"),
    *("e - x", "x - e"),
)
quantity(
    "the velocity of a flow",
    r"(v|u|flow|vel(ocity)?)_?(target|gt|true|t)?|targets?|target_?(v|vel\w*|flow|u)|dx_?t|ut|vt",
    {"s": r"sigma_?min|smin", "a": r"(x|z)_?0", "b": r"(x|z)_?1"},
    *("b - a", "b - (1 - s) * a"),
)
quantity(
    "the clean sample of a prediction",
    (
        r"(pred(icted)?_?)(x_?0|x_?start|original_?sample|clean|z_?0)|x_?0_?(pred(icted)?|"
        r"hat|recon\w*)|x_?start(_pred)?|x_?recon\w*|x_?0|denoised|x_?hat"
    ),
    {**SCALES, "v": VELOCITY, "e": PRED_NOISE, "x": NOISY},
    *_scheduled("(x - sqrt(1 - AB) * e) / sqrt(AB)", "x", AB="a"),
    *_scheduled("(x - SS * e) / CC", "x", CC="c", SS="s"),
    *_scheduled("x - SS * e", "x", SS="s"),
    *_scheduled("sqrt(AB) * x - sqrt(1 - AB) * v", "x", AB="a"),
    *_scheduled("CC * x - SS * v", "x", CC="c", SS="s"),
    *(form for each in ("t", _each("t", "x")) for form in (f"x - {each} * v", f"x + (1 - {each}) * v")),
)
quantity(
    "the noise level of a draw",
    r"sigmas?",
    {"r": r"rnd\w*|rand\w*|noise|n|eps|z|u", "m": r"p_?mean|mean|mu", "s": r"p_?std|std"},
    "exp(r * s + m)",
)
quantity(
    "the score of a perturbed sample",
    r"(score_?target|target_?score|true_?score|gt_score)s?",
    {"s": SIGMA, "t": STEP, "e": NOISE, "x": CLEAN, "y": NOISY},
    *_scheduled("-e / SS", "e", SS="s"),
    *_scheduled("-e / SS**2", "e", SS="s"),
    *_scheduled("-(y - x) / SS**2", "x", SS="s"),
)
quantity(
    "the target of a score",
    r"targets?",
    {"s": SIGMA, "t": STEP, "e": NOISE, "x": r"x_?0|x|samples?|clean\w*|data", "y": r"perturbed\w*|noisy\w*|x_?tilde"},
    *(form for sign in either_sign("e / SS", "e / SS**2") for form in _scheduled(sign, "e", SS="s")),
    *(form for sign in either_sign("(y - x) / SS**2") for form in _scheduled(sign, "x", SS="s")),
)
quantity(
    "the bits per dimension",
    r"(loss_?|nll_?)?(bpd|bits_?per_?dim(ension)?)s?",
    {
        "n": r"(nll|neg_?log_?lik\w*|loss)(_loss)?",
        "l": r"log_?(p(rob)?|lik(elihood)?|px?|px|p_x)s?|ll",
        "k": r"dims?|n_?dims?|d|num_?(pixels|dims)|n_?pixels|pixels|data_dim|num_el\w*",
    },
    *(form for each in ("n", "-l") for form in (f"{each} / (k * 0.69314718)", f"({each}).mean() / (k * 0.69314718)")),
    constant=True,
)
