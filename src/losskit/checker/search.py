"""Search: the tensors with which a loss of unknown meaning runs, from names, documentation, code and its errors."""

from __future__ import annotations

import itertools
import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch import Tensor

from losskit.checker import fits, roles, several
from losskit.checker.calling import MASKS, NUMBER, WEIGHTS, Call, Extra, Way
from losskit.checker.guesses import Failure, Guess, Slot, Undefined
from losskit.checker.repairs import repaired
from losskit.checker.trial import Form, Trial
from losskit.checker.uses import BOOLEAN, DICT, TUPLE, Use, parts_of
from losskit.checker.watching import Watched
from losskit.checker.wraps import Wrap

if TYPE_CHECKING:
    from losskit.checker.probe import Chosen, Probe

# Sizes after those of samples and channels, and whether tensors that are no scores have one number for each sample.
_STARTS: tuple[tuple[tuple[str, ...], bool], ...] = (
    ((), True),
    ((), False),
    (("5",), True),
    (("4", "5"), False),
    (("5",), False),
)
_PER_SAMPLE = r"reward|return|advantage|done|terminal|discount|duration|event|^delta$|sigma$|weight"
_WHOLE = ("index", "boolean", "length", "from")  # sorts without a gradient
MORE = 12  # samples of a second call
_NUMBERS = {"count": 1, "scalar": 0.5}
_PREDICTION = r"pred|logit|output|student|score|hat$|log_?p|recon|estimate"
_TARGET = r"target|label|true|truth|gt|teacher|^y$|ref"


def without_broadcasts(probe: Probe) -> Chosen | None:
    """Tensors whose shapes fit without broadcasting samples, and whose samples may come in any order."""
    return _first(probe, True)


def by_repairs(probe: Probe) -> Chosen | None:
    """Tensors with which the loss runs and has a gradient, if what they mean is unknown."""
    return _first(probe, False)


def cut_from_graph(probe: Probe) -> Chosen | None:
    """Tensors with which the loss runs, if autograd sees that it depends on none of them."""
    return _first(probe, False, cut=True)


def _first(probe: Probe, strict: bool, cut: bool = False) -> Chosen | None:
    for call in _calls(probe):
        found = Search(probe, call, strict, cut).found()
        if found is not None:
            return found
    return None


def _calls(probe: Probe) -> list[Call]:
    """The ways of passing what is no tensor; masks and weights are tensors like the others here."""
    found: dict[tuple[tuple[str, str], ...], Call] = {}
    for call in probe.calls:
        extras = tuple(extra for extra in call.way.extras if extra.sort)
        found.setdefault(tuple((extra.name, repr(extra.value)) for extra in extras), Call(0, probe.way(extras=extras)))
    return list(found.values())


def documents_dicts(probe: Probe) -> bool:
    """Whether the documentation gives the shapes of every value of a dict."""
    dicts = {name: use.values for name, use in probe.uses.items() if use.sort == DICT}
    return bool(dicts) and all(several.keyed(n, str(key), probe.words) for n, keys in dicts.items() for key in keys)


def documents_narrow_mask(probe: Probe) -> bool:
    """Whether a mask is documented for the steps of prediction and target alike, (B, T) of (B, T, D)."""
    shapes = [probe.words.shapes.get(name, ()) for name in probe.required]
    masks = [at for at, name in enumerate(probe.required) if name.lower() in (*MASKS, *WEIGHTS)]
    if len(shapes) != 3 or masks != [2] or not all(shapes):
        return False
    first, second, mask = shapes
    return first == second and 1 < len(mask) < len(first) and first[: len(mask)] == mask


def _stem(name: str) -> str:
    return name.lower().rstrip("0123456789").split("_")[-1].removesuffix("s") or name


class Search:
    """One search, with these further arguments."""

    def __init__(self, probe: Probe, call: Call, strict: bool, cut: bool) -> None:
        self.probe = probe
        self.extras = call.way.extras
        self.strict = strict
        self.cut = cut  # whether no tensor is to get a gradient
        fixed = {extra.name for extra in self.extras}
        self.names = [name for name in probe.required if name not in fixed]

    def found(self) -> Chosen | None:
        if not self.names or (len(self.names) > 4 and all(len(name) == 1 for name in self.names)):
            return None
        if self.strict and self._of_labelled_pairs():
            return None  # its rows and labels are known; a loss that crosses them would be taken for one of maps
        for known in (True, False) if self.probe.words.shapes else (False,):
            for guess in itertools.islice(repaired(self._starts(known), self._attempt), 4):
                chosen = self._chosen(guess)
                if chosen is not None and (not self.strict or fits.in_any_order(chosen[2], chosen[0])):
                    return chosen
        return None

    # Guesses.

    def _use(self, name: str) -> Use | None:
        return self.probe.uses.get(name)

    def _starts(self, known: bool) -> list[Guess]:
        """The guesses that a search begins with; `known`: documented sizes do not change."""
        every = [[self._slots(name, small, spatial) for name in self.names] for spatial, small in _STARTS]
        rows = [[[replace(slot, sizes=slot.sizes[:1]) for slot in each] for each in every[0]]]
        if known:
            every = [
                [[self._known(slot, name) for slot in each] for name, each in zip(self.names, made, strict=True)]
                for made in every
            ]
        return list(
            dict.fromkeys(Guess(tuple(itertools.chain(*made)), tuple(map(len, made))) for made in (*every, *rows))
        )

    def _of_labelled_pairs(self) -> bool:
        """Whether two embeddings are compared whose label is documented as a column."""
        words = self.probe.words
        column = len(self.names) == 3 and words.shapes.get(self.names[2], ())[1:] == ("1",)
        return column and re.search(r"siamese|contrastive", words.all) is not None

    def _known(self, slot: Slot, name: str) -> Slot:
        return replace(slot, known=slot.known or name in self.probe.words.shapes)

    def _slots(self, name: str, small: bool, spatial: tuple[str, ...]) -> list[Slot]:
        use = self._use(name)
        if use is not None and use.sort == DICT:
            return [self._keyed(name, str(key), small, spatial) for key in use.values]
        slot = self._slot(name, small, spatial)
        if use is None and (count := parts_of(self.probe.criterion, name)) > 1:
            return [slot] * count
        return [replace(slot, sort="boolean")] if use is not None and use.sort == BOOLEAN else [slot]

    def _keyed(self, name: str, key: str, small: bool, spatial: tuple[str, ...]) -> Slot:
        """A value of a dict, whose documentation may give its sizes."""
        said = several.keyed(name, key, self.probe.words)
        if said is None:
            return self._slot(key, small, spatial)
        return Slot(*said, known=True, stem=f"{name}_{key}")

    def _slot(self, name: str, small: bool, spatial: tuple[str, ...]) -> Slot:
        """What a name and its documentation say; `small`: what is no prediction has one number for each sample."""
        sort, sizes = several.slot_of(name, self.probe.words)
        if sort == "number" and roles.may_index(name) and re.search(r"label|class", name.lower()):
            sort = "index"
        row = small and (sort in ("flag", "share", "index") or re.search(_PER_SAMPLE, name.lower()) is not None)
        usual = ("N",) if row or sort == "length" else ("N", *spatial) if sort == "index" else ("N", "C", *spatial)
        return Slot(sort, sizes or usual, self._table(name) if sort == "index" else "", stem=_stem(name))

    def _table(self, name: str) -> str:
        """The length of the tensor of the loss that the code indexes with a parameter; empty if there is none."""
        found = re.search(rf"self\.(\w+)\[{re.escape(name.lower())}\]", self.probe.words.code)
        table = getattr(self.probe.criterion, found[1], None) if found is not None else None
        return str(len(table)) if isinstance(table, Tensor) and table.dim() == 1 else ""

    # Calls.

    def _attempt(self, guess: Guess) -> Failure | bool:
        form, way = self._form(guess, 0)
        tensors = [t.float() if t.is_floating_point() else t for t in several.make(form.layout, self._draw(form))]
        slots = (at for at, slot in enumerate(guess.slots) if slot.sort not in _NUMBERS)
        watched = Watched(dict(zip(slots, tensors, strict=True)), strict=self.strict)
        if self.probe.origin.on_trial is not None:
            self.probe.origin.on_trial(tensors)
        try:
            with warnings.catch_warnings(), watched:
                warnings.simplefilter("ignore")
                made = way.call(self.probe.origin.build(), tensors, {})
        except Exception as error:  # noqa: BLE001 - whatever it raises, it refuses this call
            return Failure(guess, error, watched)
        if not math.isfinite(float(made.detach().double().mean())):
            return Failure(guess, Undefined("not finite"), watched)
        return True

    def _draw(self, form: Form) -> Any:
        return Trial(self.probe.origin, Way(), self.probe.classes, ()).draw(form, None, 1.0, 0)

    def _form(self, guess: Guess, lead: int) -> tuple[Form, Way]:
        """The form and the way of calling of a guess, with this tensor first."""
        extras, place, at = list(self.extras), 0, 0
        wraps: list[Wrap] = []
        slots: list[Slot] = []
        positions = {name: n for n, name in enumerate(self.probe.required)}
        for name, count in zip(self.names, guess.counts, strict=True):
            held = guess.slots[at : at + count]
            at += count
            if count == 1 and held[0].sort in _NUMBERS:
                extras.append(Extra(name, positions[name], sort=NUMBER, value=_NUMBERS[held[0].sort]))
                continue
            wrap = self._wrap(name, place, count)
            wraps += [] if wrap is None else [wrap]
            slots += held
            place += 1
        slots = [*slots[lead : lead + 1], *slots[:lead], *slots[lead + 1 :]]
        layout = f"{several.SEVERAL} {';'.join(map(str, slots))}"
        ordered = tuple(sorted(extras, key=lambda extra: extra.at))
        return Form("penalty", "values", layout), self.probe.way(lead=lead, extras=ordered, wraps=tuple(wraps))

    def _wrap(self, name: str, place: int, count: int) -> Wrap | None:
        use = self._use(name)
        if count > 1:
            keys = tuple(map(str, use.values)) if use is not None and use.sort == DICT else ()
            return Wrap(place, DICT if keys else TUPLE, keys, count)
        if use is None or use.sort == BOOLEAN:
            return None
        return Wrap(place, use.sort, tuple(map(str, use.values)), star=use.star, terms=self.probe.terms)

    # The result.

    def _chosen(self, guess: Guess) -> Chosen | None:
        """The form with the tensor that should get a gradient first."""
        for lead in self._leads(guess):
            form, way = self._form(guess, lead)
            trial = Trial(self.probe.origin, way, self.probe.classes, ())
            more = replace(self._draw(form), samples=self.probe.origin.samples or MORE)
            if not trial.runs(form) or not math.isfinite(trial.value(*several.make(form.layout, more))):
                continue  # the number of samples was taken for another size
            made = several.make(form.layout, self._draw(form))
            if trial.cut(*made) if self.cut else bool(trial.slope(*made).any()):
                return form, (), trial, [], ["only the shapes with which it runs are known"]
        return None

    def _leads(self, guess: Guess) -> list[int]:
        names = Way(wraps=self._form(guess, 0)[1].wraps).tensor_names(list(self.names))
        return leads(names, [slot.sort for slot in guess.slots if slot.sort not in _NUMBERS])


def leads(names: Sequence[str], sorts: Sequence[str]) -> list[int]:
    """The tensors that may get a gradient, predictions by name first and targets last."""
    able = [n for n, sort in enumerate(sorts) if not sort.startswith(_WHOLE)]

    def rank(at: int) -> int:
        name = names[at].lower() if at < len(names) else ""
        return 2 * (re.search(_TARGET, name) is not None) - (re.search(_PREDICTION, name) is not None)

    return sorted(able, key=rank)
