"""Several tensors that are known by their shapes, names and documentation: what may be passed for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from losskit.checker.draws import Draw
from losskit.checker.words import Words

SEVERAL = "several"  # the layout: this word, and a letter or `sort:sizes` for each tensor
# The sort of a tensor by its name; the first that matches.
_BY_NAME = (
    ("length", r"len(gth)?s?$|_len|lengths"),
    ("logp", r"log_?p(rob)?s?($|_)|log_?probs?$|logps?$"),
    ("log", r"^log|_log|logit|logp"),
    (
        "index",
        r"^(labels?|actions?|indices|ids|cls|tokens?|classes)$|_labels?$|^(y|true|target|gt)_class(es)?$|_actions?$|_ids?$|ind?e?x$",
    ),
    ("flag", r"mask|^valid|^dones?$|terminal|event|status|censor|observed|visib|^is_(?!w)"),
    ("share", r"^pis?$|mix\w*_?w|prob|alpha_bar|alphas_cumprod|^t$|timestep|keep"),
    ("large", r"^alpha$"),
    ("positive", r"^var|variance|_var$|sigma|^std|scale|^nu$|^v$|kappa|theta|disp|precision|weight|^w$|beta|evidence"),
    ("positive", r"time|duration|dist|area|sizes?$|snr"),
)
# The sort by what its documentation says.
_BY_TEXT = (
    ("index", r"\b(long|int64|integers?|indices|class index|class indices|class ids?)\b"),
    ("log", r"logits?\b|log-?prob"),
    ("large", r">=? ?1\b"),
    ("flag", r"0/1|0 or 1|0 and 1|\{0, ?1\}|binary|boolean|\bbool\b|one-hot"),
    ("flag", r"\b(0 (when|if|for|where|means)\b.*\b1|1 (when|if|for|where|means)\b.*\b0) (when|if|for|where|means)\b"),
    ("share", r"in [\[(]0, ?1[\])]|probabilit|after a s(oft|ig)m|\(0, 1\)"),
    ("positive", r">=? ?0|positive\b(?! (pair|sample|score|item|log))|variance|standard deviation"),
)
_COUNTED = (
    r"binomial|poisson|\bzinb|\bz?nb_?(nll|loss)|gamma (nll|dist|likelihood)|weibull|exponential dist|itakura|"
    r"log_?normal"
)
_MASKS = r"\bmasks?\b|segment|foreground|\bf1\b"  # what is compared is 0 or 1
_OF_NUMBERS = r"mixture|densit|\bmdn|gaussian|quantile|pinball|regress|forecast|crps"
_STEPS = r"t|ts|time_?steps?|steps?|noise_?levels?"
_SIZES = {"T": 7, "L": 6, "S": 5, "D": 5, "H": 8, "W": 9, "Z": 4, "X": 9, "Y": 8, "F": 5, "E": 5, "P": 6, "J": 5}


_LETTERS = {
    "batch": "N",
    "num": "C",
    "n": "C",
    "classes": "C",
    "channels": "C",
    "height": "H",
    "width": "W",
    "seq": "T",
    "time": "T",
    "horizon": "T",
    "length": "T",
    "vocab": "C",
}


_CONTINUOUS = r"\b(act|action)s?_(dim|size)\b"  # a dimension of actions that are vectors


def sort_of(name: str, words: Words) -> str:
    """What the numbers of a parameter are, by its documentation, otherwise by its name."""
    said = words.clauses.get(name, "").split(name.lower(), 1)[-1]
    for sort, pattern in _BY_NAME[:1]:
        if re.search(pattern, name.lower()):
            return sort
    for sort, pattern in _BY_TEXT:
        if said and re.search(pattern, said):
            return sort
    if re.fullmatch(_STEPS, name.lower()) and re.search(
        rf"\[{re.escape(name.lower())}\]|gather\([^)]*\b{re.escape(name.lower())}\b", words.code
    ):
        return "index"
    found = next((sort for sort, pattern in _BY_NAME if re.search(pattern, name.lower())), "number")
    if found == "index" and re.search(_CONTINUOUS, " ".join(words.shapes.get(name, ())).lower()):
        return "number"
    return "positive" if found == "number" and re.search(_COUNTED, words.all) else found


def documented(required: list[str], words: Words) -> str:
    """The layout of a call whose documentation gives every shape; empty if it does not."""
    if not required or any(name not in words.shapes for name in required):
        return ""
    parts = []
    for name in required:
        sizes = [each for each in words.shapes[name] if each not in ("*", "...")]
        sort = sort_of(name, words)
        fewer = len(words.shapes[name]) == len(words.shapes[required[0]]) - 1
        if sort == "number" and fewer and re.search(r"^(y|targets?|gt|truth)$|label", name.lower()):
            sort = "number" if re.search(_OF_NUMBERS, words.all) else "index"
        parts.append(f"{sort}:{','.join(sizes)}")
    return f"{SEVERAL} {';'.join(parts)}"


def named(required: list[str], letters: str, words: Words) -> str:
    """The layout with these shapes, and numbers that suit the names."""
    sizes = {"n": "N,C,*", "c": "N", "r": "N", "i": "N", "k": "N,1"}
    parts = []
    for name, letter in zip(required, letters, strict=True):
        sort = "index" if letter == "i" else sort_of(name, words)
        if sort == "number" and re.search(r"target|label|gt|truth|^y$", name.lower()) and words.say(_MASKS):
            sort = "flag"
        parts.append(f"{sort}:{sizes[letter]}")
    return f"{SEVERAL} {';'.join(parts)}"


def parts_of(layout: str) -> list[str]:
    """One part for each tensor."""
    text = layout.split(" ", 1)[1]
    return text.split(";") if ":" in text else list(text)


def make(layout: str, draw: Draw) -> tuple[Tensor, ...]:
    """Tensors of these shapes."""
    return tuple(_one(part, at, draw) for at, part in enumerate(parts_of(layout)))


def _one(part: str, at: int, draw: Draw) -> Tensor:
    if ":" in part:
        sort, sizes = part.split(":")
        return _of_sort(sort, _sizes(sizes, draw), draw)
    full = (draw.samples, draw.classes, *draw.spatial)
    shape = {"n": full, "c": full[:-1], "r": full[:1], "i": full[:1], "k": (*full[:1], 1)}[part]
    if part == "i":
        return torch.arange(draw.samples) % 2
    if part == "n" or at == 0:
        return draw.scale * draw.normal(*shape)
    return _share(draw, shape)  # a weight or a time


def _share(draw: Draw, shape: tuple[int, ...]) -> Tensor:
    drawn = torch.rand(shape, generator=draw.generator, dtype=torch.float64)
    return (0.1 + 0.8 * drawn).round(decimals=4)


def _corners(draw: Draw, shape: tuple[int, ...]) -> Tensor:
    low, size = draw.normal(*shape[:-1], 2), draw.normal(*shape[:-1], 2).abs() + 1
    return torch.cat([low, low + size], -1)


def _rotations(draw: Draw, shape: tuple[int, ...]) -> Tensor:
    skew = draw.scale * draw.normal(*shape)
    return torch.matrix_exp(skew - skew.mT)


# How the numbers of a sort are drawn; those of any other sort are positive.
_DRAWN: dict[str, Callable[[Draw, tuple[int, ...]], Tensor]] = {
    "number": lambda draw, shape: draw.scale * draw.normal(*shape),
    "log": lambda draw, shape: draw.scale * draw.normal(*shape),
    "logp": lambda draw, shape: -draw.normal(*shape).abs() - 0.1,
    "negative": lambda draw, shape: -draw.normal(*shape).abs() - 0.01,
    "weights": lambda draw, shape: 0.5 * draw.normal(*shape),
    "boolean": lambda draw, shape: draw.flags(*shape) > 0,
    "sign": lambda draw, shape: 2 * draw.flags(*shape) - 1,
    "flag": lambda draw, shape: draw.flags(*shape),
    "share": _share,
    "shares": lambda draw, shape: draw.normal(*shape).softmax(-1),
    "corners": _corners,
    "rotation": _rotations,
    "length": lambda draw, shape: torch.randint(2, _SIZES["T"], shape, generator=draw.generator),
}


def _of_sort(sort: str, shape: tuple[int, ...], draw: Draw) -> Tensor:
    if sort in _DRAWN:
        return _DRAWN[sort](draw, shape)
    if sort.startswith("index"):
        return torch.randint(int(sort.removeprefix("index") or draw.classes), shape, generator=draw.generator)
    if sort.startswith("from"):
        low, high = map(int, sort.removeprefix("from").split("to"))
        return torch.randint(low, high + 1, shape, generator=draw.generator)
    return draw.normal(*shape).abs() + (1.1 if sort == "large" else 0.2)


def slot_of(name: str, words: Words) -> tuple[str, tuple[str, ...]]:
    """The sort of a parameter, and its documented sizes."""
    return sort_of(name, words), tuple(each for each in words.shapes.get(name, ()) if each not in ("*", "..."))


def keyed(name: str, key: str, words: Words) -> tuple[str, tuple[str, ...]] | None:
    """The sort and the documented sizes of a value in a dict: `targets: dict with "box" (N, 4), "obj" (N,)`."""
    text = re.split(rf"\b{re.escape(name)}\b\W", words.text, maxsplit=1)[-1]
    text = re.split(r"\n\s*\w+: ", text, maxsplit=1)[0]  # up to the next parameter
    found = re.search(rf"""["'`]{re.escape(key)}["'`]:?\s*\(([\w, *]+)\)([^("']*)""", text)
    if found is None:
        return None
    sizes = tuple(each.strip() for each in found[1].split(",") if each.strip())
    said = found[2].lower()
    target = re.search(r"target|label|gt|truth", name.lower()) is not None
    sort = next(
        (sort for sort, pattern in _BY_TEXT if re.search(pattern, said)), "log" if "logit" in said else "number"
    )
    if target and len(sizes) == 1 and sort in ("number", "log"):
        sort = "index" if re.search(r"cls|class|label|categor", key.lower()) else sort
    return ("log" if not target and sort in ("flag", "index") else sort), sizes


def _sizes(text: str, draw: Draw) -> tuple[int, ...]:
    known: Mapping[str, int] = {"N": draw.samples, "B": draw.samples, "M": draw.samples}
    found: list[int] = []
    for each in text.split(","):
        if each == "*":
            found += draw.spatial
        elif each.isdigit():
            found.append(int(each))
        elif each:
            found.append(_size(each, known, draw))
    return tuple(found)


def _size(text: str, known: Mapping[str, int], draw: Draw) -> int:
    """The size of a letter, also of one minus a number."""
    if (times := re.fullmatch(r"(\w+)\*(\d+)|(\d+)\*(\w+)", text)) is not None:
        return int(times[2] or times[3]) * _size(times[1] or times[4], known, draw)
    match = re.match(r"([A-Za-z]+\w*?)([-+]\d+)?$", text)
    if match is None:
        return 3
    letter, shift = _LETTERS.get(match[1].split("_")[0], match[1]), int(match[2] or 0)
    size = known.get(letter, draw.classes if letter in ("C", "K", "V", "A", "G") else 0)
    return (size or _SIZES.get(letter) or _SIZES.get(letter[0], 4)) + shift
