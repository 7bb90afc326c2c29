"""Signals: projections of sound, and spectra."""

from losskit.checker.quantities.forms import EPS, either_sign, negative, reduced, with_eps
from losskit.checker.quantities.quantity import quantity

EST = (
    r"(s_?)?(est(imat\w*)?|enhanced|denoised|deg|processed)(_?(sources?|targets?|signals?|wav\w*|audio|zm|s))?|e|s_?hat|"
    r"preds?_(wav\w*|audio|signals?|zm)"
)
REF = (
    r"(s_?)?(refs?|references?|clean)(_?(sources?|targets?|signals?|wav\w*|audio|zm|s))?|r|s|sources?|"
    r"targets?(_(wav\w*|audio|signals?|zm|sources?))?"
)
GENERAL = {"x": rf"{EST}|y_?(pred|hat)|preds?|x|inputs?", "y": rf"{REF}|y|y_?true"}
SCALE = r"alphas?|scales?|(optimal_?)?scal(e|ing)(_?(factor|s))?|proj_?(coef\w*|scale)"
PROJECTION = (
    r"s_?targets?|(target_?|scaled_?|pair_?wise_?)?proj(ection|s|ected|_s|_t)?|e_?(true|target)|"
    r"scaled_?(targets?|refs?|references?|s)|target_scaled|true_part"
)
RESIDUAL = r"e_?(noise|res(idual)?)|(pair_?wise_?)?noises?|e_noises?|res(idual)?s?|distortion|err_part"
_SUM = "(x * y).sum(-1) / (y**2).sum(-1)"
_ALPHA = (
    _SUM,
    "(x[:, :, None] * y[:, None]).sum(-1) / (y**2).sum(-1)[:, None]",
    "(x[:, None] * y[:, :, None]).sum(-1) / (y**2).sum(-1)[:, :, None]",
)
_TARGET = (
    f"({_SUM})[..., None] * y",
    f"({_ALPHA[1]})[..., None] * y[:, None]",
    f"({_ALPHA[2]})[..., None] * y[:, :, None]",
)
quantity(
    "the scale of the projection on the reference",
    SCALE,
    {"x": EST, "y": REF, "eps": EPS},
    *with_eps(*_ALPHA, "(y**2).sum(-1) / (x * y).sum(-1)", "sqrt((y**2).sum(-1) / (x**2).sum(-1))"),
)
quantity(
    "the projection on the reference",
    PROJECTION,
    {
        "a": SCALE,
        **GENERAL,
        "eps": EPS,
    },
    *with_eps(*_TARGET),
    *("a * y", "a[..., None] * y", "a[..., None] * y[:, None]", "a[..., None] * y[:, :, None]"),
)
quantity(
    "what the projection leaves of the estimate",
    RESIDUAL,
    {"p": PROJECTION, **GENERAL},
    *either_sign("x - p", "x[:, :, None] - p", "x[:, None] - p"),
)
quantity(
    "what the scaled reference leaves of the estimate",
    r"e_?(noise|res(idual)?)|(pair_?wise_?)?noises?|e_noises?|distortion|err_part",
    {"a": SCALE, "p": PROJECTION, "x": EST, "y": REF},
    *either_sign("x - y", "x - a * y", "x - a[..., None] * y", *(f"x - {each}" for each in _TARGET[:1])),
)
_RATIO = ("(p**2).sum(-1) / (n**2).sum(-1)",)
quantity(
    "the ratio of the projection to the rest",
    r"ratios?|(si_?)?(sdr|snr)_?(ratio|val|linear)|pair_?wise_?(si_?)?sdr",
    {"p": PROJECTION, "n": RESIDUAL, "eps": EPS},
    *with_eps(*_RATIO, *(f"10 * log10({each})" for each in _RATIO)),
    *("((p**2).sum(-1) + eps) / ((n**2).sum(-1) + eps)", "(p**2).sum(-1) / ((n**2).sum(-1) + eps)"),
)
_DB = (
    "10 * log10((p**2).sum(-1) / (n**2).sum(-1))",
    "10 * log10(((p**2).sum(-1) + eps) / ((n**2).sum(-1) + eps))",
    "10 * log10((p**2).sum(-1) / ((n**2).sum(-1) + eps) + eps)",
    "10 * log10(q)",
    "10 * log10(q + eps)",
)
_DB_PARTS = {"q": r"ratios?", "p": PROJECTION, "n": RESIDUAL, "eps": EPS}
quantity(
    "the ratio in decibels",
    r"(si_?|sisnr_?)?(sdr|snr|sd_sdr)s?|sisdr|pair_?wise_?(si_?)?sdr|val|value_db",
    _DB_PARTS,
    *reduced(*with_eps(_DB[0], _DB[3]), *_DB),
)
quantity(
    "the negative ratio in decibels",
    r"(neg_?)(si_?)?(sdr|snr)s?|(si_?)?(sdr|snr)_?loss(es)?",
    _DB_PARTS,
    *reduced(*negative(with_eps(_DB[0], _DB[3])), *negative(_DB)),
)
quantity(
    "the ratio in decibels or its opposite",
    r"loss(es)?",
    _DB_PARTS,
    *reduced(*either_sign(*with_eps(_DB[0], _DB[3]), *_DB)),
    *with_eps(*_RATIO),
    *("((p**2).sum(-1) + eps) / ((n**2).sum(-1) + eps)", "(p**2).sum(-1) / ((n**2).sum(-1) + eps)"),
)
REAL, IMAGINARY = r"(\w+_)?(re|real)(_\w+)?", r"(\w+_)?(im|imag(inary)?)(_\w+)?"
quantity(
    "the magnitude of a spectrum",
    r"(\w+_)?(mags?|magnitudes?|amplitude|amp)",
    {"a": REAL, "b": IMAGINARY, "p": r"power(_spec\w*)?", "eps": EPS},
    *with_eps("sqrt(a**2 + b**2)", "sqrt(p)"),
    *("sqrt(a**2 + b**2 + eps)", "sqrt(clamp(a**2 + b**2, eps))", "sqrt(clamp(a**2 + b**2, 1e-7))", "sqrt(p + eps)"),
)
MAGNITUDE = r"(\w+_)?(mags?|magnitudes?|mel_?(spec)?|spec(trogram)?s?|mels?)(_\w+)?"
quantity(
    "the power of a spectrum",
    r"power(_spec\w*)?|energy_spec\w*",
    {"a": REAL, "b": IMAGINARY, "m": MAGNITUDE},
    *("a**2 + b**2", "m**2"),
    factor=True,
)
quantity(
    "the logarithm of a spectrum",
    r"log_?(mags?|magnitudes?|mels?|spec\w*|power|mel_spec\w*)(_\w+)?",
    {"m": rf"{MAGNITUDE}|power(_spec\w*)?", "eps": EPS},
    *with_eps("log(m)", "log1p(m)", "log(clamp(m, 1e-5))", "log(clamp(m, 1e-7))", "log(m + 1e-5)"),
    *("log(m + eps)", "log(clamp(m, eps))"),
    factor=True,
    constant=True,
)
_FAKE = (
    r"(x|pred|fake|gen(erated)?|est(imate)?|hat|output|rec\w*|y_?(hat|pred|g)|"
    r"predicts?|p|input)_?(mags?|magnitudes?|spec\w*|stft_?mag)|(mags?|spec)_?(pred|"
    r"hat|fake|gen|est|x|p)|s_?hat"
)
_REAL = (
    r"(y|targets?|real|true|gt|ref\w*|clean|groundtruth|t)_?(mags?|magnitudes?|"
    r"spec\w*|stft_?mag)|(mags?|spec)_?(targets?|true|real|gt|ref|y|t)"
)
quantity(
    "the convergence of a spectrum",
    r"(sc|spectral_?conv(ergence)?|spec_?conv)(_?(loss|l|lin))?|spectral_convergenge_loss",
    {"x": _FAKE, "y": _REAL, "eps": EPS},
    *with_eps(
        "norm(y - x) / norm(y)",
        "(norm((y - x).flatten(1), None, 1) / norm(y.flatten(1), None, 1)).mean()",
        "norm((y - x).flatten(1), None, 1) / norm(y.flatten(1), None, 1)",
    ),
    *(
        "norm(y - x) / (norm(y) + eps)",
        "(y - x).flatten(1).norm(None, 1) / y.flatten(1).norm(None, 1)",
        "((y - x).flatten(1).norm(None, 1) / y.flatten(1).norm(None, 1)).mean()",
    ),
    *(
        "(y - x).norm(None, (-2, -1)) / y.norm(None, (-2, -1))",
        "((y - x).norm(None, (-2, -1)) / y.norm(None, (-2, -1))).mean()",
    ),
)
