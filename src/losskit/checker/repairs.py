"""Repairs: shapes and kinds of the tensors of a call, found from the errors that trial calls end with."""

from __future__ import annotations

import ast
import heapq
import itertools
import linecache
import re
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

from torch import Tensor

from losskit.checker.guesses import Failure, Guess, Undefined
from losskit.checker.watching import Watched, letters_of, tensors_in

_AS_INDEX = (
    r"as indices must be|expected.*(int64|long)|got input tensor of type|only applicable to index"
    r"|scalar type (long|int)"
)
_AS_BOOLEAN = r"boolean|bitwise|~ \(operator|logical|byte or bool"
_AS_SCALAR = (
    r"converted to an index|converted to scalar|more than one (value|element)"
    r"|an integer|must be (tuple of )?ints?|must be number"
)
_DIMENSIONS = 5  # at most, of a tensor of the call
_INDEXING = (
    "gather",
    "index_select",
    "take_along_dim",
    "scatter",
    "scatter_",
    "scatter_add",
    "scatter_add_",
    "embedding",
)
_OF_CLASSES = ("cross_entropy", "nll_loss", "one_hot", "multi_margin_loss")
_UNPACKED = re.compile(r"^\s*\(?[\w*]+(?:\s*,\s*[\w*]+)*,?\)?\s*=\s*([\w.]+?)(\.shape|\.size\(\))?\s*(?:#.*)?$")
_SIZE_AT = re.compile(r"(\w+)\.(?:shape|size\(\))\[(-?\d)\]")


def repaired(starts: Sequence[Guess], attempt: Callable[[Guess], Failure | bool], most: int = 150) -> Iterator[Guess]:
    """Guesses with which a call succeeds; `attempt` returns a failure, or whether the result is usable."""
    order = itertools.count()
    waiting = [(-1_000_000, 0, next(order), guess) for guess in starts]  # all of them first
    known = set(starts)
    while waiting and most:
        most -= 1
        _, depth, _, guess = heapq.heappop(waiting)
        outcome = attempt(guess)
        if outcome is True:
            yield guess
        elif isinstance(outcome, Failure):
            for each in repairs(outcome):
                if each not in known and all(len(slot.sizes) <= _DIMENSIONS for slot in each.slots):
                    known.add(each)
                    heapq.heappush(waiting, (-outcome.watched.done, depth + 1, next(order), each))


def repairs(failure: Failure) -> Iterator[Guess]:
    """Changes of a guess that may mend its failure, the likeliest first."""
    found = [each for rule in _RULES for each in rule(failure)]
    yield from found or _sizes(failure)


def _undefined(failure: Failure) -> Iterator[Guess]:
    """Numbers of any sign where positive ones or shares are needed."""
    if isinstance(failure.error, Undefined):
        sources = {at for each in tensors_in(failure.watched.undefined) for at in failure.watched.origin(each)}
        for chosen in (
            ([at] for at in sorted(sources))
            if len(sources) == 1
            else (sorted(sources), *([at] for at in sorted(sources)))
        ):
            for sort in ("positive", "share"):
                guess = failure.guess
                for at in chosen:
                    if guess.slots[at].sort in ("number", "log", "flag", "positive"):
                        guess = guess.with_slot(at, sort=sort)
                yield guess


def _scalars(failure: Failure) -> Iterator[Guess]:
    """A tensor where a number is needed."""
    if re.search(_AS_SCALAR, failure.said):
        index = "index" in failure.said or "int" in failure.said
        for at in _sources(failure):
            if failure.guess.slots[at].sort not in ("count", "scalar"):
                yield failure.guess.with_slot(at, sort="count" if index else "scalar", sizes=())


def _sources(failure: Failure) -> list[int]:
    """The tensors of the call that the failing function was given, those used inside a slice first."""
    inside = [
        each
        for operand in failure.watched.operands
        if not isinstance(operand, Tensor)
        for each in tensors_in([operand])
    ]
    every = [*inside, *tensors_in(failure.watched.operands)]
    return list(dict.fromkeys(at for at in map(failure.watched.only, every) if at is not None))


def _frames(error: Exception) -> Iterator[tuple[FrameType, str]]:
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame, linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
        trace = trace.tb_next


def _unpacked(failure: Failure) -> Iterator[Guess]:
    """`B, C, H, W = x.shape` of a tensor with other dimensions, or `a, b = x` of a tensor that should be a tuple."""
    wanted = re.search(r"values to unpack \(expected (?:at least )?(\d+)", failure.said)
    for frame, line in reversed(list(_frames(failure.error))):
        match = _UNPACKED.match(line) if wanted else None
        tensor = frame.f_locals.get(match[1]) if match else None
        at = failure.watched.only(tensor)
        if match and wanted and at is not None and isinstance(tensor, Tensor):
            if match[2]:
                yield from _with_dimensions(failure.guess, at, int(wanted[1]) - tensor.dim())
            else:
                yield failure.guess.unpacked(at, int(wanted[1]))
            return
        if isinstance(failure.error, IndexError) and not failure.watched.failed:
            for name, place in _SIZE_AT.findall(line):
                tensor = frame.f_locals.get(name)
                at = failure.watched.only(tensor)
                missing = int(place) + 1 - tensor.dim() if isinstance(tensor, Tensor) else 0
                if at is not None and missing > 0:
                    yield from _with_dimensions(failure.guess, at, missing)


def _kinds(failure: Failure) -> Iterator[Guess]:
    """A tensor of numbers where indices or a boolean mask are needed."""
    name, said, watched = failure.watched.failed, failure.said, failure.watched
    operands = list(watched.operands)
    if name == "__getitem__" and len(operands) == 2 and re.search(_AS_INDEX, said):
        places = operands[1] if isinstance(operands[1], tuple) else (operands[1],)
        for dim, each in enumerate(places):
            at = watched.only(each)
            if at is not None and isinstance(each, Tensor) and each.is_floating_point():
                size = operands[0].shape[dim] if dim < operands[0].dim() else 1
                found = failure.guess.with_slot(at, sort="index", bound=str(size))
                same = operands[0].shape[: each.dim()] == each.shape
                boolean = failure.guess.with_slot(at, sort="boolean")
                yield from (boolean, found) if same else (found, boolean)
    elif name in _INDEXING and any(isinstance(each, int) for each in operands):
        dim = next(each for each in operands if isinstance(each, int))
        yield from _to_index(failure, operands[0], dim)
    elif name in _OF_CLASSES or re.search(_AS_INDEX, said):
        for each in list(tensors_in(operands))[name in _OF_CLASSES and name != "one_hot" :][:1]:
            at = watched.only(each)
            if at is not None and failure.guess.slots[at].sort != "index":
                yield from _index_of_classes(failure, at, operands[0])
    if re.search(_AS_BOOLEAN, said):
        for at in _sources(failure):
            if failure.guess.slots[at].sort not in ("boolean", "index"):
                yield failure.guess.with_slot(at, sort="boolean", bound="")


def _to_index(failure: Failure, source: Any, dim: int) -> Iterator[Guess]:
    if not isinstance(source, Tensor) or not -source.dim() <= dim < source.dim():
        return
    for each in failure.watched.operands[1:]:
        at = failure.watched.only(each)
        if at is not None and isinstance(each, Tensor) and each.is_floating_point():
            first = failure.watched.only(source)
            found = failure.guess.with_slot(at, sort="index", bound=str(source.shape[dim]))
            sizes = () if first is None else failure.guess.slots[first].sizes
            place = dim % source.dim()
            if len(sizes) == source.dim() == len(found.slots[at].sizes) + 1:
                yield found.with_slot(at, sizes=sizes[:place] + sizes[place + 1 :])
            yield found
            return


def _index_of_classes(failure: Failure, at: int, scores: Any) -> Iterator[Guess]:
    """Class indices, in the shape of the scores without their classes."""
    found = failure.guess.with_slot(at, sort="index")
    first = failure.watched.only(scores)
    if first is not None and first != at:
        sizes = failure.guess.slots[first].sizes
        for kept in (sizes[:1] + sizes[2:], sizes[:-1], sizes[:1]):
            yield found.with_slot(at, sizes=kept)
    yield found


def _bounds(failure: Failure) -> Iterator[Guess]:
    """An index that is too large for what it indexes."""
    size = re.search(r"out of bounds for dimension \d+ with size (\d+)|out of bounds for.*size (\d+)", failure.said)
    if size:
        indices = [at for at, slot in enumerate(failure.guess.slots) if slot.sort in ("index", "length")]
        own = [at for at in _sources(failure) if at in indices]
        for at in own or indices:
            yield failure.guess.with_slot(at, sort="index", bound=size[1] or size[2])
    fixed = re.search(r"index (\d+) is out of bounds for dimension (\d+) with size", failure.said)
    for at in _sources(failure) if fixed else ():
        sizes, place = failure.guess.slots[at].sizes, int(fixed[2]) if fixed else 0
        if fixed and 0 < place < len(sizes) and int(fixed[1]) < 64:
            yield failure.guess.with_slot(at, sizes=(*sizes[:place], str(int(fixed[1]) + 1), *sizes[place + 1 :]))


def _with_dimensions(guess: Guess, at: int, more: int) -> Iterator[Guess]:
    """A tensor with this many dimensions more, or less."""
    sizes = guess.slots[at].sizes
    if more < 0:
        yield from (guess.with_slot(at, sizes=sizes[:more]), guess.with_slot(at, sizes=(sizes[0], *sizes[1 - more :])))
        return
    count = len(sizes) + more
    wide = {1: ("N",), 2: ("N", "C"), 3: ("N", "7", "C"), 4: ("N", "C", "4", "5"), 5: ("N", "C", "4", "5", "6")}
    others = [slot.sizes for slot in guess.slots if len(slot.sizes) >= count]
    kept = (*sizes, *("4", "5", "6", "7")[:more])
    for each in dict.fromkeys(
        [*(other[:count] for other in others), wide.get(count, kept), kept, (*sizes[:1], "7", *sizes[1:])]
    ):
        if len(each) == count:
            yield guess.with_slot(at, sizes=each)


def _dimensions(failure: Failure) -> Iterator[Guess]:
    """A tensor with too few or too many dimensions."""
    said, watched = failure.said, failure.watched
    tensors = [each for each in tensors_in(watched.operands) if watched.only(each) is not None]
    if not tensors:
        return
    wanted = 0
    out = re.search(r"expected to be in range of \[-?\d+, (-?\d+)\], but got (-?\d+)", said)
    if out:
        place = int(out[2])
        wanted = max(place + 1, -place)
    for pattern in (
        r"input\.dim\(\) = \d+ is not equal to len\(dims\) = (\d+)",
        r"expected (\d)d (?!or)",
        r"must be (\d)-?d",
        r"sizes provided \((\d)\) must be greater",
        r"must be (\d)d",
    ):
        match = re.search(pattern, said)
        wanted = int(match[1]) if match else wanted
    if "repeat dims" in said:
        wanted = (
            len(watched.operands[1]) if isinstance(watched.operands[1], (tuple, list)) else len(watched.operands) - 1
        )
    if "too many indices" in said and len(watched.operands) == 2 and isinstance(watched.operands[1], tuple):
        wanted = sum(each is not None and each is not Ellipsis for each in watched.operands[1])
    two = re.search(r"same number of dimensions", said)
    if two and len(tensors) > 1:
        change = tensors[0].dim() - tensors[1].dim()
        for each, more in ((tensors[1], change), (tensors[0], -change)):
            yield from _with_dimensions(failure.guess, _at(watched, each), more)
    elif wanted:
        for each in tensors:
            if each.dim() != wanted:
                yield from _with_dimensions(failure.guess, _at(watched, each), wanted - each.dim())


def _letters(failure: Failure) -> Iterator[Guess]:
    """The operands of `einsum` with one size for each letter: that of the first operand that has it."""
    given = list(failure.watched.operands)
    if failure.watched.failed != "einsum" or not isinstance(given[0], str):
        return
    guess, sizes = failure.guess, dict[str, str]()
    for letters, tensor in zip(letters_of(given[0]), tensors_in(given[1:]), strict=False):
        at = failure.watched.only(tensor)
        if at is None or len(guess.slots[at].sizes) != len(letters):
            return
        new = [each for each in letters if each not in sizes]
        free = itertools.chain(guess.slots[at].sizes if len(new) == len(letters) else (), ("5", "6", "7"))
        sizes.update((each, next(free)) for each in new)
        guess = guess.with_slot(at, sizes=tuple(sizes[each] for each in letters))
    yield guess


def _at(watched: Watched, tensor: Tensor) -> int:
    return next(iter(watched.origin(tensor)))


def _sizes(failure: Failure) -> Iterator[Guess]:
    """Tensors whose sizes do not match: the shape of one from that of another."""
    guess = failure.guess
    touched = list(
        dict.fromkeys(
            at for each in tensors_in(failure.watched.operands) for at in sorted(failure.watched.origin(each))
        )
    )
    if isinstance(failure.error, TypeError) or not touched:
        return
    yield from _as_operand(failure)
    for own, other in itertools.permutations(reversed(touched), 2):
        for sizes in _alike(guess.slots[other].sizes):
            yield guess.with_slot(own, sizes=sizes)
    samples = str(len(next(iter(failure.watched.given.values()))))
    numbers = [each for each in re.findall(r"\b\d+\b", failure.said) if each != samples] + ["2"]
    for own in touched:
        for sizes in _replaced(guess.slots[own].sizes, numbers):
            yield guess.with_slot(own, sizes=sizes)
        if len(touched) == 1 and len(guess.slots) > 1:
            for beside in guess.slots:
                yield from (guess.with_slot(own, sizes=sizes) for sizes in _alike(beside.sizes))


def _as_operand(failure: Failure) -> Iterator[Guess]:
    """The sizes of the other operand, for a tensor of the call or one with a dimension of 1 more."""
    operands = [each for each in failure.watched.operands if isinstance(each, Tensor)]
    for own, other in itertools.permutations(operands[:2], 2):
        at = failure.watched.only(own)
        if at is None or own.dim() == 0:
            continue
        more = own.dim() - len(failure.guess.slots[at].sizes)
        sizes = tuple(map(str, other.shape))
        if more == 1 and own.dim() == other.dim() and 1 in own.shape[1:]:
            place = list(own.shape).index(1, 1)
            sizes = sizes[:place] + sizes[place + 1 :]
        if more in (0, 1) and len(sizes) > 0:
            yield failure.guess.with_slot(at, sizes=failure.watched.written(sizes))


def _alike(sizes: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Shapes that go with this one."""
    yield sizes
    if len(sizes) > 1:
        yield sizes[:-1]
        yield sizes[:1] + sizes[2:]
    yield sizes[:1]
    yield (*(sizes[:-1] or sizes), "1")
    if len(sizes) > 1:
        yield (*sizes[:1], "1", *sizes[2:])
        yield (*sizes[:-1], "6", *sizes[-1:])


def _replaced(sizes: tuple[str, ...], numbers: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """One size replaced by a number of the message."""
    for place, number in itertools.product(range(len(sizes) - 1, 0, -1), dict.fromkeys(numbers)):
        if 0 < int(number) <= 64:
            yield (*sizes[:place], number, *sizes[place + 1 :])


def _asserted(failure: Failure) -> Iterator[Guess]:
    """The size that the loss asserts: assert logits.size(1) == len(self.heads)."""
    if not isinstance(failure.error, AssertionError):
        return
    for frame, line in _frames(failure.error):
        try:
            test = ast.parse(line.strip()).body[0]
        except (SyntaxError, IndexError):
            continue
        parts = [n for n in ast.walk(test) if isinstance(n, ast.Compare) and len(n.comparators) == 1]
        for part in parts:
            for own, other in ((part.left, part.comparators[0]), (part.comparators[0], part.left)):
                found = _SIZED.fullmatch(ast.unparse(own))
                tensor = frame.f_locals.get(found[1]) if found else None
                at = failure.watched.only(tensor)
                size = _number_in(frame, other)
                place = int(found[2] or found[3]) if found else 0
                sizes = failure.guess.slots[at].sizes if at is not None else ()
                if at is not None and size and -len(sizes) <= place < len(sizes):
                    place %= len(sizes)
                    yield failure.guess.with_slot(at, sizes=(*sizes[:place], str(size), *sizes[place + 1 :]))


_SIZED = re.compile(r"(\w+)\.(?:shape\[(-?\d)\]|size\((-?\d)\))")


def _number_in(frame: FrameType, node: ast.expr) -> int:
    """The number of an expression of attributes, constants and `len`; 0 if it is none."""
    if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id == "len"):
        return 0
    try:
        found = eval(ast.unparse(node), frame.f_globals, frame.f_locals)  # noqa: S307 - an expression of the loss
    except Exception:  # noqa: BLE001 - it is no number
        return 0
    return found if isinstance(found, int) else 0


def _sequences(failure: Failure) -> Iterator[Guess]:
    """Logits of more steps than the targets, which are classes above the blank, with lengths up to their own."""
    if failure.watched.failed != "ctc_loss":
        return
    guess = failure.guess
    operands = [each for each in failure.watched.operands if isinstance(each, Tensor)]
    logits, targets = (failure.watched.only(each) for each in operands[:2])
    if logits is None or targets is None or len(guess.slots[logits].sizes) != 3:
        return
    for each in (("N", "9", "C"), ("9", "N", "C")):
        found = guess.with_slot(logits, sizes=each).with_slot(targets, sort="from1to2", sizes=("N", "4"), bound="")
        for at, slot in enumerate(found.slots):
            if slot.sort in ("length", "index") and at not in (logits, targets):
                longest = 9 if re.search(r"input|logit|pred|frame", slot.stem) else 4
                found = found.with_slot(at, sort=f"from{longest // 2}to{longest}", sizes=("N",), bound="")
        yield found


_RULES = (_letters, _undefined, _scalars, _unpacked, _sequences, _asserted, _kinds, _bounds, _dimensions)
