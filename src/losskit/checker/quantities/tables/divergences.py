"""Divergences of normal distributions, samples of them, and the parts of quantised autoencoders."""

from losskit.checker.quantities.forms import EPS, reduced, with_eps
from losskit.checker.quantities.quantity import quantity
from losskit.checker.quantities.tables.spreads import LOG_STD, LOG_VAR, STD, VAR

KL = (
    r"(z_|latent_|gauss(ian)?_|mean_|batch_)?kld?s?(_?(loss|losses|div|divergence|"
    r"divs|term|element|elem|per_dim|dims?|gauss\w*|normal|z|x|g|q_?p|qp|standard))?|"
    r"kl_?d|latent_loss"
)
quantity(
    "the divergence from a standard normal distribution",
    KL,
    {"s": LOG_STD, "v": VAR, "d": STD, "m": r"(z_?|q_?)?(mu|mean|loc)s?(_?(z|q|post))?"},
    *reduced(
        *("-0.5 * (1 + 2 * s - m**2 - exp(2 * s))", "-0.5 * (1 + log(v) - m**2 - v)"),
        "-0.5 * (1 + 2 * log(d) - m**2 - d**2)",
    ),
    factor=True,
)
_FIRST = r"(_?(q|1|post(erior)?|a|pred|x|s|enc|z))"
_SECOND = r"(_?(p|2|prior|b|t|target|prior_p|dec))"
_BEFORE = r"(q|post(erior)?|enc)_?"
_AFTER = r"(p|prior)_?"


def _one(names: str) -> str:
    return rf"({names}){_FIRST}|{_BEFORE}({names})"


def _two(names: str) -> str:
    return rf"({names}){_SECOND}|{_AFTER}({names})"


_MU, _LV = r"mu|mean|loc|m", r"log_?var(iance)?|lv|logv"
_LS, _S = r"logs|log_?(std|sigma|scale)", r"std|sigma|scale|stddev|s"
_KLS = {
    ("a", "b"): "b - a + (exp(a) + (m - n)**2) * exp(-b) - 1",
    ("c", "f"): "2 * f - 2 * c + (exp(2 * c) + (m - n)**2) * exp(-2 * f) - 1",
    ("g", "h"): "2 * log(as_tensor(h)) - 2 * log(g) + (g**2 + (m - n)**2) / h**2 - 1",
    ("u", "w"): "log(as_tensor(w)) - log(u) + (u + (m - n)**2) / w - 1",
}
_TWO = {
    "a": _one(_LV),
    "b": _two(_LV),
    "c": _one(_LS),
    "f": _two(_LS),
    "u": _one(r"var|variance"),
    "w": _two(r"var|variance"),
    "g": rf"{_one(_S)}|sigma|std",
    "h": _two(_S),
    "m": rf"{_one(_MU)}|mu|mean",
    "n": _two(_MU),
}
quantity(
    "the divergence of two normal distributions",
    KL,
    _TWO,
    *reduced(*_KLS.values(), *(each.replace("(m - n)**2", "m**2") for each in _KLS.values())),
    factor=True,
    constant=True,
)
quantity(
    "the divergence of a flow from its prior",
    KL,
    {"z": r"z_?p", "m": r"m_?p|mu_?p|mean_?p", "b": r"logs_?p|log_?std_?p", "a": r"logs_?q|log_?std_?q"},
    *reduced("b - a - 0.5 + 0.5 * (z - m)**2 * exp(-2 * b)"),
    constant=True,
)
NOISE = r"(rand(om)?_?)?(eps(ilon)?s?|noises?|xi|rnd\w*|eta)"
quantity(
    "a sample of a normal distribution",
    (
        r"z|zs|z_?samples?|samples?|latents?|x|y|w|weights?|actions?|u|sampled?_?\w*|"
        r"reparam\w*|x_t|z_hat|pre_?tanh\w*|raw_action"
    ),
    {
        "e": NOISE,
        "r": r"rhos?",
        "l": LOG_VAR,
        "s": LOG_STD,
        "v": VAR,
        "d": rf"{STD}|scale",
        "m": r"(z_?|q_?|post(erior)?_?|action_?|weight_?)?(mu|mean|loc)s?(_?(z|q|post|w|theta))?",
        "t": r"(sampling_?)?temp(erature)?",
    },
    *(
        "m + exp(0.5 * l) * e",
        "m + exp(s) * e",
        "m + sqrt(v) * e",
        "m + d * e",
        "m + log1p(exp(r)) * e",
        "m + t * d * e",
    ),
    *(f"m[:, None] + {each}[:, None] * e" for each in ("exp(0.5 * l)", "exp(s)", "d")),
    *("m + t * exp(0.5 * l) * e", "m + t * exp(s) * e", "(e - m) / d", "(e - m) * exp(-s)"),
)
CODES = r"(z_?)?(q|quant(ized|ised)?)(_?(z|x|latents?|st))?|quantized_?latents?|zq|codes?|embed(ded)?|q_?latents?"
ENCODED = r"z|z_?e|ze|z_?(enc|in)|inputs?|x|latents?|h|encod(ed|ings?)|enc(oder)?_?(out|output)?|feats?"
quantity(
    "the code that lets gradients pass straight through",
    (
        r"(z_?)?(q|quant(ized|ised)?)_?(st|ste|out|pass|x|through)?|straight_?through\w*|"
        r"zq_?(st|ste)?|z_st|quantized_latents?"
    ),
    {"q": CODES, "z": ENCODED},
    "q + 0 * z",
)
quantity(
    "the squared distance from codes",
    r"(code_?)?(d|dist|dists|distances?|distance_matrix)",
    {
        "e": r"(\w+\.)?(codebook|embed(ding)?s?|codes?|embs?|emb|e_k|codewords?)(\.weight)?|embed\w*_weight|weight",
        "z": r"(z_?|x_?|input_?|latent_?)?(flat(ten(ed)?)?)(_?(z|x|inputs?|latents?))?|z_?e_?flat|flat_\w+",
    },
    *(
        "cdist(z, e)",
        "cdist(z, e)**2",
        "-cdist(z, e)**2",
        "cdist(z, e.T)**2",
        "cdist(z, e)**2 - (z**2).sum(1)[:, None]",
    ),
)
quantity(
    "the squared distance from the code",
    r"(codebook|commit(ment)?|[eq]_?latent|embed(ding)?|vq|quant\w*|dictionary)_?(loss|cost|term|l)",
    {"q": CODES, "z": ENCODED, "b": r"beta|commit\w*|commitment_(cost|weight)|self_beta"},
    *reduced("(q - z)**2"),
    *reduced("(1 + b) * (q - z)**2", "b * (q - z)**2"),
    factor=True,
)
quantity(
    "the perplexity of the use of codes",
    r"(code(book)?_?)?(perplexity|ppl|perplexities)",
    {"p": r"avg_?probs?|mean_?probs?|usage|p|probs?|e_mean|avg_\w+", "eps": EPS},
    *with_eps("exp(-(p * log(p + 1e-10)).sum(-1))"),
    *("exp(-(p * log(p + eps)).sum(-1))", "2 ** (-(p * log2(p + 1e-10)).sum(-1))"),
)
quantity(
    "the perplexity of a loss",
    r"(token_?)?(perplexity|ppl)",
    {"l": r"(mean_?|ce_?|nll_?|lm_?|avg_?)?(loss|nll|ce|cross_?entropy)(_?(mean|per_token|loss))?"},
    *("exp(l)", "exp(l.mean())", "clamp(exp(l), None, 1e4)"),
)
