"""Schedules of diffusion: products, signal to noise, weights and preconditioning."""

from losskit.checker.quantities.forms import where
from losskit.checker.quantities.quantity import quantity
from losskit.checker.quantities.tables.diffusion import ALPHA, ALPHA_BAR, SIGMA, STEP

BETAS = r"betas?(_t)?"
SNR = r"(signal_to_noise|snrs?)(_?(t|ratio|timesteps|values))?"
GAMMA = r"(min_?snr_?|snr_?)?gamma"

quantity("the factors of a schedule", r"alphas?(_t)?", {"b": BETAS}, "1 - b", "cumprod(1 - b, 0)", "(1 - b).sqrt()")
quantity(
    "the products of a schedule",
    ALPHA_BAR,
    {"b": BETAS, "a": r"alphas?"},
    "cumprod(1 - b, 0)",
    "cumprod(a, 0)",
    "exp(cumsum(log(a), 0))",
)
quantity(
    "the products of a schedule up to the step before",
    r"alphas?_?(cum_?prod|bars?)_prev(ious)?|prev_alphas?_\w+",
    {"a": ALPHA_BAR},
    "cat([a[:1] * 0 + 1, a[:-1]])",
)
_ROOTS = {
    r"(sqrt_?(alphas?_?(cum_?prod|bars?|prod|hat)|ab|a_?bar|alpha))(_t)?|signal_rates?": "sqrt(AB)",
    (
        r"(sqrt_?one_?minus_?(alphas?_?(cum_?prod|bars?|prod|hat)|ab|a_?bar|alpha)|"
        r"sqrt_?1m_?\w+|sqrt_om\w*)(_t)?|noise_rates?"
    ): "sqrt(1 - AB)",
    r"sqrt_recip_(alphas?_?(cum_?prod|bars?))": "sqrt(1 / AB)",
    r"sqrt_recipm1_(alphas?_?(cum_?prod|bars?))": "sqrt(1 / AB - 1)",
    r"one_minus_(alphas?_?(cum_?prod|bars?)|ab)": "1 - AB",
    r"log_one_minus_(alphas?_?(cum_?prod|bars?))": "log(1 - AB)",
}
for _named, _form in _ROOTS.items():
    quantity("this number of a schedule", _named, {"a": ALPHA_BAR, "t": STEP}, *where(_form, AB=("a", "a[t.long()]")))
_SNRS = [*where("AB / (1 - AB)", AB=("a", "a[t.long()]")), "(c / s)**2", "exp(l)", "1 / s**2", "(d / s)**2"]
quantity(
    "the ratio of signal to noise",
    SNR,
    {
        "d": r"sigma_?data|data_?std",
        "l": r"log_?snrs?(_t)?",
        "a": ALPHA_BAR,
        "t": STEP,
        "c": rf"{ALPHA}|sqrt_alpha\w*",
        "s": rf"{SIGMA}|sqrt_one_minus_alpha\w*",
    },
    *_SNRS,
    *(f"{each} + 1" for each in _SNRS),
)
quantity(
    "the logarithm of the ratio of signal to noise",
    r"log_?snrs?(_t)?",
    {"a": ALPHA_BAR, "c": ALPHA, "s": SIGMA},
    *("log(a / (1 - a))", "2 * log(c / s)", "log(a) - log(1 - a)", "-2 * log(s)"),
)
quantity(
    "the clipped ratio of signal to noise",
    r"(maybe_?)?(clip(ped)?|clamp(ed)?|min)_?snrs?(_gamma)?|snrs?_?(clip(ped)?|clamp(ed)?)",
    {"s": SNR, "g": GAMMA, "t": STEP},
    *("clamp(s, None, g)", "clamp(s[t.long()], None, g)"),
)
WEIGHT = r"(loss_?|mse_?|snr_?|min_?snr_?|mse_loss_?|sample_?|time_?)*(weights?|w|weightings?|lambda_t|w_t)"
_CLIPPED = r"(maybe_?)?(clip(ped)?|clamp(ed)?)_?snrs?|snrs?_?(clip(ped)?|clamp(ed)?)"
_MIN = ("clamp(SNR, None, g)", "clamp(SNR, None, g) / SNR", "clamp(SNR, None, g) / (SNR + 1)")
quantity(
    "the weight of a ratio of signal to noise",
    WEIGHT,
    {"c": _CLIPPED, "s": SNR, "g": rf"{GAMMA}|p2_(loss_weight_)?gamma", "k": r"k|p2_(loss_weight_)?k"},
    *("clamp(s, None, g)", "clamp(s, None, g) / s", "clamp(s, None, g) / (s + 1)", "(1 + s) ** -g", "(k + s) ** -g"),
    *("c", "c / s", "c / (s + 1)"),
)
for _stored in (r"self\.(snrs?)", r"self\.(alphas?_?(cum_?prod|bars?))|alphas?_?(cum_?prod|bars?)"):
    quantity(
        "the weight of a clipped ratio of signal to noise",
        WEIGHT,
        {"g": GAMMA, "t": STEP, "a": _stored},
        *(
            part
            for each in _MIN
            for base in (
                ("a", "a[t.long()]") if "snrs" in _stored else ("a / (1 - a)", "a[t.long()] / (1 - a[t.long()])")
            )
            for part in where(each, SNR=(base,))
        ),
    )
_S, _D = r"sigmas?|s|t|rescaled_t", r"sigma_?data|data_?std|sd"
for _said, _named, _forms in (
    ("the scale of the skip connection", r"c_?skip", ("d**2 / (s**2 + d**2)", "d**2 / ((s - m)**2 + d**2)")),
    (
        "the scale of the output",
        r"c_?out",
        ("s * d / sqrt(s**2 + d**2)", "(s - m) * d / sqrt(s**2 + d**2)", "-s * d / sqrt(s**2 + d**2)"),
    ),
    ("the scale of the input", r"c_?in", ("1 / sqrt(s**2 + d**2)",)),
    ("the noise level as an input", r"c_?noise", ("0.25 * log(s)", "log(s)", "250 * log(s)")),
    (
        "the weight of a noise level",
        WEIGHT,
        (
            "(s**2 + d**2) / (s * d)**2",
            "(s * d)**2 / (s**2 + d**2)**2",
            "(s**2 + d**2) / (s**2 * d)",
            "1 / (s**2 + d**2)",
            "s**2 + d**2",
        ),
    ),
):
    quantity(
        _said,
        _named,
        {"d": _D, "s": _S, "m": r"sigma_?min|eps(ilon)?"},
        *_forms,
    )
