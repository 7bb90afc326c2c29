"""What a loss takes if it cannot be determined: the error, which says what was tried and what to pass."""

from __future__ import annotations

from dataclasses import replace

from losskit.checker import several
from losskit.checker.attempts import Attempts
from losskit.checker.probe import Probe
from losskit.checker.spec import Spec, Unsure


def asked(probe: Probe) -> str:
    """The options that the user gave."""
    said = (("--kind", probe.said.kind), ("--scores", probe.said.scores), ("--target", probe.said.target))
    return " ".join(f"{name} {value}" for name, value in said if value) or "its usual call"


def unsure(probe: Probe, said: str) -> Unsure:
    """An error with tensors by name alone, for the checks of what a loss claims to be."""
    error = Unsure(said)
    layout = f"{several.SEVERAL} {'n' * len(probe.required)}"
    error.nearest = Spec("penalty", "values", layout, tuple(probe.required), probe.classes, ())
    error.nearest = replace(error.nearest, options=tuple(probe.origin.options))
    return error


def no_form(probe: Probe) -> str:
    """No form has as many tensors as the call."""
    needs = ", ".join(probe.required) or "nothing by name"
    count = len(probe.required)
    return (
        f"{probe.origin.name}: its call needs {needs}, and no known kind of loss takes {count} "
        f"{'tensor' if count == 1 else 'tensors'}"
        f"{' with ' + asked(probe) if probe.said.anything else ''}. Bind an argument that is not a tensor with "
        "--with name=value; otherwise, give a function of (input, target)."
    )


def no_fit(probe: Probe, tried: Attempts) -> str:
    """No form that was tried fits."""
    said = f"{probe.origin.name}: cannot determine what it takes."
    if not tried.running:
        first, *others = dict.fromkeys(tried.refusals or ["it returns no finite number"])
        why = f"{first}{f' Another error: {others[-1]}' if others else ''}"
        return (
            f"{said} Every trial call failed; one error: {why} Its call takes ({', '.join(probe.required)}). "
            f"Specify what it takes: --kind, --scores, --target, --classes, --shape.{_bind(probe)}"
        )
    seen: dict[tuple[str, str], str] = {}
    for form, _, _, reason in tried.running:
        seen.setdefault((form.kind, form.scores), reason)
    ran = "".join(f"\n  --kind {k} --scores {s}: {reason}" for (k, s), reason in list(seen.items())[:6])
    return f"{said} It ran with these, but each looks wrong; pass the one you mean.{_bind(probe)}{ran}"


def _bind(probe: Probe) -> str:
    if len(probe.required) < 3:
        return ""
    return f" If {probe.required[-1]} is not a tensor, bind it with --with {probe.required[-1]}=value."
