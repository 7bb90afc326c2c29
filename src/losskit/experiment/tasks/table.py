"""The user's own table: a CSV file, one column of which is predicted from the others."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from losskit.experiment.tasks.files import NAMED
from losskit.experiment.tasks.splits import held_out, split_groups
from losskit.experiment.tasks.task import ACCURACY, BALANCED, MAE, Data, InputError, Kind, Split, Task

MISSING = {"", "na", "n/a", "nan", "null", "none", "?"}
FEWEST = 20  # rows
MOST_WORDS = 50  # maximum different texts in a used column
WHOLE_CLASSES = 10  # integers are classes up to this many different values
MOST_CLASSES = 64

Floats = NDArray[np.float64]
Words = NDArray[np.str_]
Indices = NDArray[np.intp]
Rows = list[dict[str, str]]

DEFAULTS: dict[tuple[Kind, bool], tuple[str, ...]] = {
    ("classification", True): ("bce", "bce(label_smoothing=0.1)", "focal(gamma=2)", "gce(q=0.7)"),
    ("classification", False): ("ce", "ce(label_smoothing=0.1)", "focal(gamma=2)", "gce(q=0.7)"),
    ("regression", True): ("mse", "l1", "huber", "smooth_l1(beta=0.1)"),
}


@dataclass(frozen=True)
class Table(Task):
    numbers: Floats = field(kw_only=True)  # (rows, columns), NaN where missing
    words: Words = field(kw_only=True)  # (rows, columns), "" where missing
    truth: Floats = field(kw_only=True)  # (rows,), class indices or measured values
    keys: tuple[str, ...] = ()  # group of each row; rows after the first `own` are the test
    own: int = 0
    classes: int = 1
    kind: Kind = "regression"

    def data(self, seed: int) -> Data:
        """Imputed, scaled and encoded with statistics of the training part."""
        parts = split_groups(self.keys[: self.own], seed, test=self.own == len(self.keys))
        parts.setdefault("test", np.arange(self.own, len(self.keys)))
        features = self.features(parts["train"])
        mean, scale = 0.0, 1.0
        if self.kind == "regression":
            values = self.truth[parts["train"]]
            mean, scale = float(values.mean()), float(values.std()) or 1.0
        truth = torch.from_numpy((self.truth - mean) / scale)
        targets = truth.float()[:, None] if self.classes == 1 else truth.long()
        splits = {part: Split(list(features[rows]), list(targets[rows])) for part, rows in parts.items()}
        return Data.of(splits, self.classes, self.kind, scale)

    def features(self, train: Indices) -> torch.Tensor:
        columns = []
        if self.numbers.size:
            filler = SimpleImputer(strategy="median", keep_empty_features=True).fit(self.numbers[train])
            scaler = StandardScaler().fit(filler.transform(self.numbers[train]))
            columns.append(scaler.transform(filler.transform(self.numbers)))
        if self.words.size:
            encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(self.words[train])
            columns.append(encoder.transform(self.words))
        return torch.from_numpy(np.concatenate(columns, axis=1)).float()


def table_task(path: Path, target: str, groups: str | None = None, test: Path | None = None) -> Table:
    """Read and check the table; decisions about its columns are noted."""
    rows = read_rows(path, "--csv", {"--target": target, "--groups": groups})
    apart = [] if test is None else read_rows(test, "--test", dict.fromkeys(rows[0], None), required=list(rows[0]))
    known, apart = ([row for row in part if not missing(row[target])] for part in (rows, apart))
    notes = []
    if dropped := len(rows) - len(known):
        notes.append(f"{dropped} rows without {target} were not used.")
    if len(known) < FEWEST:
        raise InputError(f"--csv {path} has {len(known)} rows with {target}; training needs at least {FEWEST}.")
    own, rows = len(known), known + apart
    if groups is not None and (lost := sum(missing(row[groups]) for row in rows)):
        raise InputError(f"--groups {groups}: {lost} rows have no value there. Fill it in or remove these rows.")
    truth, classes, kind, said = read_target(target, [row[target] for row in rows])
    keys = tuple(row[groups] if groups else f"{index}" for index, row in enumerate(rows))
    columns = [name for name in rows[0] if name not in (target, groups)]
    numbers, words, told = read_columns(rows, columns)
    independent, where = held_out(keys, own, "row" if groups is None else "group")
    what = "Prediction" if kind == "regression" else f"Classification into {max(classes, 2)} classes"
    return Table(
        name="table",
        about=f"{what} of {target} in {path}, {own} rows, from {numbers.shape[1] + words.shape[1]} columns. {where}",
        metrics=(MAE,) if kind == "regression" else (BALANCED, ACCURACY),
        losses=DEFAULTS[kind, classes == 1],
        epochs=min(200, max(5, -(-16000 // own))),  # about 300 steps
        batch_size=32,
        learning_rate=3e-3,
        is_users=True,
        baseline="mse" if kind == "regression" else "bce" if classes == 1 else "ce",
        arguments=(
            *("--csv", str(path), "--target", target),
            *(() if groups is None else ("--groups", groups)),
            *(() if test is None else ("--test", str(test))),
        ),
        notes=(*notes, *said, *told),
        groups=independent,
        class_counts=tuple(np.bincount(truth[:own].astype(int), minlength=classes).tolist()) if classes > 1 else None,
        numbers=numbers,
        words=words,
        truth=truth,
        keys=keys,
        own=own,
        classes=classes,
        kind=kind,
    )


def read_rows(path: Path, option: str, named: dict[str, str | None], required: Sequence[str] = ()) -> Rows:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{option} {path} cannot be read ({error}). Give a CSV file in UTF-8.") from error
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise InputError(f"{option} {path}, line {reader.line_num}: {error}.") from error
    columns = list(reader.fieldnames or [])
    if not rows or len(set(columns)) < len(columns):
        why = "no rows" if not rows else "two columns of one name"
        raise InputError(f"{option} {path} has {why}. Its first line names the columns, the others are rows.")
    for chosen, name in named.items():
        if name is not None and name not in columns:
            raise InputError(f"{chosen} {name}: {path} has no such column; it has {', '.join(columns)}.")
    if absent := [name for name in required if name not in columns]:
        raise InputError(f"{option} {path} has no column {', '.join(absent)}, which --csv has.")
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise InputError(f"{option} {path}, line {number}: expected {len(columns)} values, as in the first line.")
    return rows


def missing(value: str) -> bool:
    return value.strip().lower() in MISSING


def as_numbers(values: Sequence[str]) -> Floats | None:
    """The column as numbers, NaN for missing values; None if some value is not a number."""
    try:
        numbers = np.array([math.nan if missing(value) else float(value) for value in values])
    except ValueError:
        return None
    return None if np.isinf(numbers).any() else numbers


def read_target(name: str, values: list[str]) -> tuple[Floats, int, Kind, list[str]]:
    """Class indices or measured values, the channels that a model needs, and notes on how they were read."""
    numbers = as_numbers(values)
    if numbers is not None and (len(np.unique(numbers)) > WHOLE_CLASSES or (numbers != np.round(numbers)).any()):
        if len(np.unique(numbers)) == 1:
            raise InputError(f"{name} is {values[0]} in every row; there is nothing to predict.")
        return (
            numbers,
            1,
            "regression",
            [f"{name} is read as a measured value, from {numbers.min():g} to {numbers.max():g}."],
        )
    texts = values if numbers is None else [f"{number:g}" for number in numbers]
    known = sorted(set(texts), key=lambda text: (0.0, text) if numbers is None else (float(text), ""))
    if len(known) == 1:
        raise InputError(f"{name} is {known[0]} in every row; there is nothing to predict.")
    if len(known) > MOST_CLASSES:
        raise InputError(
            f"{name} has {len(known)} different texts ({', '.join(known[:NAMED])}...); up to {MOST_CLASSES} classes "
            "are compared. To predict a measured value, every row must hold a number or nothing."
        )
    order = ", ".join(f"{text} is class {index}" for index, text in enumerate(known))
    indices = np.array([known.index(text) for text in texts], dtype=np.float64)
    return indices, 1 if len(known) == 2 else len(known), "classification", [f"{name}: {order}."]


def read_columns(rows: Rows, columns: list[str]) -> tuple[Floats, Words, list[str]]:
    numbers, words, unused = [], [], []
    filled = False
    for name in columns:
        values = [row[name] for row in rows]
        known = {value for value in values if not missing(value)}
        filled |= any(missing(value) for value in values) and len(known) > 1
        if len(known) < 2:
            unused.append(f"{name} (one value)")
        elif (column := as_numbers(values)) is not None:
            numbers.append(column)
        elif len(known) > MOST_WORDS:
            unused.append(f"{name} ({len(known)} texts)")
        else:
            words.append(["" if missing(value) else value.strip() for value in values])
    if not numbers and not words:
        raise InputError("The table has no column to predict from: " + ", ".join(unused or ["it is the only one"]))
    return (
        np.stack(numbers, axis=1) if numbers else np.empty((len(rows), 0)),
        np.array(words, dtype=np.str_).T if words else np.empty((len(rows), 0), dtype=np.str_),
        list(notes_on(unused, filled=filled)),
    )


def notes_on(unused: list[str], *, filled: bool) -> Iterator[str]:
    if unused:
        yield f"Columns that were not used: {', '.join(unused)}."
    if filled:
        yield "Missing numbers were filled with the median of the training part; missing texts are a separate category."
