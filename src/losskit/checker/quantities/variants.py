"""Variants: the forms in which public code writes one formula."""

from __future__ import annotations

from collections.abc import Iterable

_REDUCED = (
    "{}",
    "({}).mean()",
    "({}).sum()",
    "({}).mean(-1)",
    "({}).sum(-1)",
    "({}).mean(1)",
    "({}).sum(1)",
    "({}).sum(-1).mean()",
    "({}).flatten(1).mean(1)",
    "({}).flatten(1).sum(1)",
    "({}).flatten(1).sum(1).mean()",
)


def reduced(*formulas: str) -> list[str]:
    """Formulas, and their usual sums and means."""
    return [form.format(each) for each in formulas for form in _REDUCED]


def negative(formulas: Iterable[str]) -> list[str]:
    """The opposite of formulas."""
    return [f"-({each})" for each in formulas]


def either_sign(*formulas: str) -> list[str]:
    """Formulas whose sign is a convention."""
    return [*formulas, *negative(formulas)]


def with_eps(*formulas: str) -> list[str]:
    """Formulas that may contain a further, tiny number `eps`."""
    return [*formulas, *(f"{each} + 0 * eps" for each in formulas)]


def where(form: str, **choices: Iterable[str]) -> list[str]:
    """A formula with each choice for a word in capitals."""
    made = [form]
    for word, texts in choices.items():
        made = [each.replace(word, f"({text})") for each in made for text in texts]
    return made


EPS = r"eps(ilon)?\d?|tiny|smooth\w*|delta_?eps"
