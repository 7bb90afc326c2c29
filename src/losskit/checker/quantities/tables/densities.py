"""Densities: spreads, likelihoods and divergences."""

from losskit.checker.quantities.quantity import quantity

quantity(
    "the variance of a logarithm",
    r"var|variance|sigma2|sigma_sq(uared)?",
    {"l": r"log_?var(iance)?|lv"},
    "exp(l)",
)
quantity(
    "the standard deviation of a logarithm of the variance",
    r"std|sigma|stddev",
    {"l": r"log_?var(iance)?|lv"},
    "exp(0.5 * l)",
)
quantity(
    "the divergence from a standard normal distribution",
    r"kld?(_?(loss|div|divergence|term))?|kl_?d",
    {"mu": r"(z_?)?(mu|mean)s?", "l": r"(z_?)?log_?var(iance)?|lv"},
    "-0.5 * (1 + l - mu**2 - exp(l))",
    factor=True,
    reduced=True,
)
