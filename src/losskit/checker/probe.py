"""A probe: what the names, the documentation and the code of a loss say, and trial calls of it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from losskit.checker import fallback, roles
from losskit.checker.attributes import classes_of, ignored_of, numbers_in, terms_of
from losskit.checker.calling import Call, Way, calls_of, required_of
from losskit.checker.groups import NARROW
from losskit.checker.origin import Criterion, Origin
from losskit.checker.shown import Shown
from losskit.checker.stated import Stated
from losskit.checker.trial import Form, Trial
from losskit.checker.uses import uses_of
from losskit.checker.words import words_of

SPATIAL = ((4, 5), (), (5,), (4, 5, 6))
FLAT = ((), (4, 5), (5,), (4, 5, 6))
_LARGE = (16, 18)  # for losses with a window
SIGNAL = (2048,)  # for losses of sound
WINDOWS = (_LARGE, (32, 32), (192, 192))
_OF_TWO = r"(?s)\[:, 1\].*\w+ == 1\b.*\w+ == 0\b"  # the score of a second class, and both labels
_COUNTS = (2, 4, 5, 10, 6, 7, 8, 9, 11, 19, 20, 21, 100)  # common numbers of classes
WIDE = ("regression", "distribution")  # kinds whose tensors may have spatial dimensions

Chosen = tuple[Form, tuple[int, ...], Trial, list[Form], list[str]]


class Probe:
    """What is known about a loss before it is called, and its trial calls."""

    def __init__(
        self,
        origin: Origin,
        said: Stated,
        criterion: Criterion,
        names: list[inspect.Parameter],
        shown: Shown | None = None,
    ) -> None:
        defaults, names = names, names if shown is None else shown.given(names)
        self.origin = origin
        self.said = said
        self.criterion = criterion
        self.names = names
        self.shown = shown
        self.required = required_of(names)[0]
        optional = [p.name for p in names[1:2] if len(self.required) == 1 and p.name.lower() in roles.TARGETS]
        self.given = [*self.required, *optional]  # in the longest call
        self.uses = uses_of(criterion, self.required)
        if shown is not None:
            self.uses = shown.uses(self.uses, defaults)
        self.hints = " ".join([origin.name, *(p.name for p in names)]).lower()
        self.words = words_of(criterion, origin.name, [p.name for p in names])
        self.terms = terms_of(criterion)
        every = (each.with_terms(self.terms) for each in calls_of(names, self.words, self.uses))
        self.calls = [replace(each, way=replace(each.way, given=self.way().given)) for each in every]
        self.classes = self.usual_classes = said.classes or classes_of(criterion) or 3

    def way(self, **parts: Any) -> Way:
        """A way of calling it, with the arguments of every call."""
        return Way(given=tuple(self.origin.called.items()), **parts)

    def trial(self, call: Call, spatial: tuple[int, ...], last: bool = False, labels: bool = False) -> Trial:
        way = replace(call.way, last=last, labels=labels or call.way.labels)
        trial = Trial(self.origin, way, self.classes, spatial)
        trial.ignored = ignored_of(self.criterion, self.origin)[1]
        return trial

    def beside(self, trial: Trial, spatial: tuple[int, ...]) -> Trial:
        """The same trial with other spatial sizes."""
        made = Trial(self.origin, trial.way, trial.classes, spatial)
        made.ignored = trial.ignored
        return made

    def spatials(self, form: Form) -> Iterable[tuple[int, ...]]:
        if self.said.shape is not None:
            return (self.said.shape,)
        if form.layout == "images":
            return self._shown(self._large())
        if form.key == ("penalty", "values", "alone"):
            return SPATIAL
        if not form.labels and (form.kind not in WIDE or form.layout in NARROW):
            return ((),)
        return self._shown((*(SPATIAL if form.labels else FLAT), *self._large()))

    def _shown(self, sizes: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
        """Those of these sizes that have as many dimensions as the user's example, and its own first."""
        own = None if self.shown is None or not self.shown.good else self.shown.spatial
        if own is None:
            return sizes
        return tuple(dict.fromkeys([own, *(each for each in sizes if len(each) == len(own))]))

    def _large(self) -> tuple[tuple[int, ...], ...]:
        """Sizes for losses with a window; also even ones for those that halve an image, by their names."""
        if self.words.say(r"multi.?scale.*ssim|ms.?ssim") or re.search(r"ms_?ssim", self.hints):
            return WINDOWS
        if re.search(r"stft|spectrogram|\bmel\b|audio|waveform", f"{self.words.all} {self.words.code}"):
            return _LARGE, SIGNAL
        halves = re.search(r"pyramid|scale|wavelet|haar|percept|vgg|lpips|patch|spectr|fft", self.hints)
        return WINDOWS[:2] if halves else (_LARGE,)

    def counts(self) -> list[int]:
        """Numbers of classes to try: those found in the loss, then the common ones."""
        if self.said.classes:
            return [self.classes]
        columns = fallback.columns(self.criterion)
        if classes_of(self.criterion):  # the weights of classes may be compared with embeddings of another size
            return list(dict.fromkeys([self.classes, *columns]))
        seen = [] if self.shown is None else self.shown.channels
        seen = [*seen, *[1] * self._one_channel()]
        two = [2] * (re.search(_OF_TWO, self.words.code) is not None)
        return list(dict.fromkeys([*two, self.classes, *seen, *columns, *numbers_in(self.criterion), *_COUNTS]))[:16]

    def _one_channel(self) -> bool:
        """Whether the first tensor is documented as a map of one channel, (B, 1, H, W)."""
        return self.words.shapes.get(self.required[0] if self.required else "", ())[1:2] == ("1",)

    def says_shares(self) -> bool:
        """Whether the documentation says that the scores are probabilities."""
        return self.words.say(r"probabilit|after (a|the) (soft|sig)m|\[0, 1\]") and not self.words.say("logits")
