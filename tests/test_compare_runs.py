"""The order of the runs of a comparison, with instant fake runs: rates, blocks, budget, resuming, failures."""

import errno
import itertools
import math
import os
import time
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from joblib import parallel_config

from losskit.experiment import comparison, store, units
from losskit.experiment.comparison import InputError
from losskit.experiment.levels import LOOKS
from losskit.experiment.progress import Progress
from losskit.experiment.store import Store, source_digest
from losskit.experiment.tasks.task import DICE, Data, Split, Task

LOSSES = ["bce", "dice", "focal"]


@dataclass(frozen=True)
class Toy(Task):
    """Unused data."""

    name: str = "toy"
    about: str = "Nothing."
    metrics: tuple = (DICE,)
    losses: tuple = ("bce", "dice", "focal")
    epochs: int = 6
    batch_size: int = 2
    learning_rate: float = 0.003

    def data(self, seed):
        split = Split([torch.full((1, 4, 4), float(seed))] * 4, [torch.ones(1, 4, 4)] * 4)
        return Data(split, split, split, classes=1)


class Runs:
    """A fake training: scores by a formula, and records the requested runs."""

    def __init__(self, formula=None):
        self.formula = formula or (lambda run: 0.7 - abs(math.log(run.rate / 0.003)) / 10)
        self.asked = []
        self.seconds = 10.0

    def __call__(self, run):
        self.asked.append(run)
        about = {name: getattr(run, name) for name in ("loss", "block", "rate", "role", "epochs")}
        found = self.formula(run)
        record = {**about, "seconds": self.seconds}
        if isinstance(found, str):
            record |= {"kind": found, "failure": f"it {found}", "trace": ""}
        else:
            cost = (
                {"step_ms": 1.0, "loss_ms": 0.1, "steps": 8, "gradient": None}
                if run.role != "tested" or run.weights is None
                else {}
            )
            tested = {"scores": {"dice": found, "dice_at_half": found}} if run.role != "tuning" else {}
            record |= {**cost, "validation": found, **tested}
        return record

    def of(self, **wanted):
        return [run for run in self.asked if all(getattr(run, name) == value for name, value in wanted.items())]


class Heard(Progress):
    """Records the messages of a comparison."""

    def __init__(self):
        self.said, self.finished = [], []

    def say(self, message):
        self.said.append(message)

    def finish(self, done):
        self.finished += done.fresh


@pytest.fixture
def drafts(monkeypatch):
    """Every draft of the report, in order."""
    written = []
    monkeypatch.setattr("losskit.experiment.report.write_report", written.append)
    monkeypatch.setattr(comparison, "QUIET", 0.0)
    return written


@pytest.fixture
def compare(monkeypatch, drafts, tmp_path):
    def carry_out(runs, losses=LOSSES, out=tmp_path, **options):
        monkeypatch.setattr(units, "run_in_process", runs)
        return comparison.compare(losses, task=Toy(), out=out, jobs=options.pop("jobs", 1), **options)

    return carry_out


def noise(run, size=0.01):
    return np.random.default_rng([run.seed, *run.loss.encode()]).normal(0, size)


def test_every_loss_trains_at_the_same_rates_to_the_end_and_its_own_best_is_tested(compare):
    best = {"bce": 0.003, "dice": 0.009, "focal": 0.003}
    runs = Runs(lambda run: 0.7 - abs(math.log(run.rate / best[run.loss])) / 10)
    found = compare(runs, blocks=2)
    assert {each.loss: each.chosen for each in found.findings.tunings} == best
    for loss, block in itertools.product(LOSSES, range(2)):
        tried = {run.rate for run in runs.of(loss=loss, block=block, role="tuning")}
        assert tried == {0.001, 0.003, 0.009} | ({0.027} if loss == "dice" else set())  # whose best is at an edge
        for role in ("tested", "fresh"):
            assert [run.rate for run in runs.of(loss=loss, block=block, role=role)] == [best[loss]]
    assert {run.epochs for run in runs.asked} == {6}


def test_the_tested_run_takes_the_weights_of_the_chosen_rate_and_a_fresh_one_its_own_data(compare):
    runs = Runs()
    compare(runs, blocks=2)
    for loss, block in itertools.product(LOSSES, range(2)):
        weights = {run.rate: run.weights for run in runs.of(loss=loss, block=block, role="tuning")}
        (tested,), (fresh,) = (runs.of(loss=loss, block=block, role=role) for role in ("tested", "fresh"))
        assert tested.weights == weights[tested.rate] is not None
        assert len(set(weights.values())) == 3
        assert (tested.seed, fresh.seed, fresh.weights) == (2 * block, 2 * block + 1, None)
        assert tested.data != fresh.data


def test_a_block_chooses_its_rate_by_its_own_validation_alone(compare):
    best = [0.001, 0.009, 0.003]
    runs = Runs(lambda run: 0.7 - abs(math.log(run.rate / best[run.block])) / 10)
    (each, *_) = compare(runs, blocks=3).findings.tunings
    assert each.choices == (0.001, 0.009, 0.003)


def test_a_run_that_tunes_never_sees_the_test_part(compare, monkeypatch):
    held = {}
    monkeypatch.setattr(Data, "save", lambda data, path: (held.update({path.stem: len(data.test)}), path.touch()))
    runs = Runs()
    compare(runs, blocks=1)
    assert {held[store.Path(run.data).stem] for run in runs.of(role="tuning")} == {0}
    assert {held[store.Path(run.data).stem] for run in runs.of(role="tested")} == {4}


def test_it_stops_when_it_is_decided(compare):
    gap = {"bce": 0.0, "dice": 0.1, "focal": 0.0}
    runs = Runs(lambda run: 0.5 + gap[run.loss] + noise(run, 0.002) - abs(math.log(run.rate / 0.003)) / 50)
    found = compare(runs, budget=1000)
    assert found.findings.settled
    assert found.findings.blocks == LOOKS[0]
    assert found.verdict.startswith("dice is better than bce")


def test_and_when_nothing_gains_more_than_the_margin(compare):
    formula = lambda run: 0.5 + noise(run, 0.002) - abs(math.log(run.rate / 0.003)) / 50  # noqa: E731
    found = compare(Runs(formula), budget=1000)
    assert (found.findings.blocks, found.findings.verdicts[0].kind) == (LOOKS[0], "keep")
    assert "Keep bce: nothing gains more than 0.0" in found.verdict
    found = compare(Runs(formula), budget=1000, margin=0.001)
    assert found.findings.blocks > LOOKS[0]


def test_a_number_of_blocks_is_carried_out_whatever_they_show(compare):
    found = compare(Runs(lambda run: {"dice": 0.9}.get(run.loss, 0.5) + noise(run, 0.001)), blocks=6)
    assert found.findings.blocks == 6


def test_the_report_is_there_after_the_first_block_and_improves(compare, drafts):
    compare(Runs(lambda run: 0.7 + noise(run)), blocks=3)
    assert [draft.stage for draft in drafts] == [*["measuring"] * 3, "done"]
    assert [draft.findings.blocks for draft in drafts] == [1, 2, 3, 3]
    assert "after 1 block that may be chance" in drafts[0].verdict


@pytest.mark.parametrize("again", range(3))
def test_the_same_loss_twice_ties_and_a_planted_gap_is_found(compare, again):
    """The second loss differs from the first only in its noise, also in tuning; the third is worse."""
    gap = {"bce": 0.0, "dice": 0.0, "focal": 0.1}
    found = compare(
        Runs(lambda run: 0.7 - gap[run.loss] - abs(math.log(run.rate / 0.003)) / 50 + noise(run) + again / 1000),
        blocks=6,
    )
    letters = {standing.loss: standing.letters for standing in found.ranking}
    assert letters == {"bce": "a", "dice": "a", "focal": "b"}
    assert "Keep bce" in found.verdict


def test_a_budget_is_kept_and_one_block_is_done_whatever_it_is(compare, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def takes_ten_seconds(run):
        now[0] += 10
        return 0.7 - abs(math.log(run.rate / 0.003)) + noise(run)

    runs = Runs(takes_ten_seconds)
    found = compare(runs, budget=10, margin=1e-9)  # a block of three losses is 3 x (3 + 1 + 1) runs
    assert found.findings.blocks == 600 // 150
    assert now[0] == 600
    runs = Runs(takes_ten_seconds)
    now[0] = 0.0
    found = compare(runs, budget=0.5, epochs=9)
    assert found.findings.blocks == 1


def test_a_loss_that_crashes_or_hangs_is_given_up_and_the_rest_finishes(compare):
    runs = Runs(lambda run: {"dice": "crashed", "focal": "hung"}.get(run.loss, 0.7))
    found = compare(runs, blocks=3)
    assert (len(runs.of(loss="dice")), len(runs.of(loss="focal"))) == (1, 1)
    assert [standing.loss for standing in found.ranking] == ["bce"]
    assert {record["loss"]: record["failure"] for record in found.failures} == {
        "dice": "it crashed",
        "focal": "it hung",
    }
    assert found.findings.cautions == ("dice has no result: it crashed.", "focal has no result: it hung.")


def test_a_rate_at_which_a_loss_diverges_is_not_taken(compare):
    runs = Runs(lambda run: "diverged" if run.loss == "dice" and run.rate > 0.001 else 0.7)
    found = compare(runs, blocks=3)
    assert {each.loss: each.chosen for each in found.findings.tunings}["dice"] <= 0.001
    assert len(found.ranking) == 3
    assert found.findings.cautions == () or "failed" not in " ".join(found.findings.cautions)


def test_one_that_diverges_in_a_block_is_told_and_the_rest_goes_on(compare):
    runs = Runs(lambda run: "diverged" if (run.loss, run.block, run.role) == ("dice", 1, "fresh") else 0.7 + noise(run))
    found = compare(runs, blocks=4)
    assert {standing.loss: standing.blocks for standing in found.ranking} == {"bce": 4, "focal": 4, "dice": 3}
    assert "dice failed in 1 of 4 blocks." in found.findings.cautions


def test_nothing_works(compare, drafts):
    found = compare(Runs(lambda run: "diverged"), blocks=2)
    assert found.verdict == "Every loss failed, so there is nothing to rank."
    assert len(found.findings.cautions) == 3
    assert drafts[-1] is found


def test_a_second_start_does_what_is_missing_and_finds_the_same(compare, tmp_path):
    formula = Runs(lambda run: 0.7 + noise(run))
    first = compare(formula, blocks=3)
    files = sorted((tmp_path / "runs").glob("*.json"))
    for file in files[::3]:
        file.unlink()
    files[1].write_text(files[1].read_text()[:40])  # as a broken disk may leave one
    runs = Runs(formula.formula)
    heard = Heard()
    second = compare(runs, blocks=3, progress=heard)
    assert len(runs.asked) == len(files[::3]) + 1
    assert second.findings == first.findings
    assert second.runs == first.runs
    assert any(line.endswith("are already in " + str(tmp_path / "runs") + ".") for line in heard.said)
    assert any(line.endswith(f"set aside and are run again: {files[1].name}.") for line in heard.said)


@pytest.mark.parametrize("content", [b"\xff\xfe{", b"[]", b"{}", b"3", None])
def test_a_damaged_result_is_named_and_set_aside_and_the_rest_goes_on(compare, tmp_path, content):
    first = compare(Runs(lambda run: 0.7 + noise(run)), blocks=1)
    path = sorted((tmp_path / "runs").glob("*.json"))[0]
    path.unlink()
    path.mkdir() if content is None else path.write_bytes(content)
    runs, heard = Runs(lambda run: 0.7 + noise(run)), Heard()
    again = compare(runs, blocks=1, progress=heard)
    assert again.findings == first.findings
    assert len(runs.asked) == 1
    assert path.with_name(f"{path.name}.damaged").exists()
    assert any(path.name in line for line in heard.said)


def test_half_a_file_of_examples_is_made_again(compare, tmp_path):
    def leaves_examples(run):
        if run.examples:
            np.savez_compressed(tmp_path / run.examples, np.zeros(1000))
        return 0.7

    plain = Runs.__call__
    runs = Runs(leaves_examples)
    runs_with_examples = lambda run: {**plain(runs, run), "examples": run.examples}  # noqa: E731
    compare(runs_with_examples, blocks=1)
    path = sorted((tmp_path / "examples").glob("*.npz"))[0]
    path.write_bytes(path.read_bytes()[:100])
    runs.asked.clear()
    compare(runs_with_examples, blocks=1)
    assert [run.role for run in runs.asked] == ["tested"]
    assert path.with_name(f"{path.name}.damaged").exists()


def test_two_comparisons_do_not_write_to_one_folder(compare, tmp_path):
    def starts_another(run):
        with pytest.raises(InputError, match=rf"Another comparison \(process {os.getpid()}\) is writing to"):
            comparison.compare(["bce"], task=Toy(), out=tmp_path, blocks=1)
        return 0.7

    assert len(compare(Runs(starts_another), blocks=1).ranking) == 3
    assert len(compare(Runs(), blocks=1).ranking) == 3  # the lock is released


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written_to_is_told_in_a_line(compare, monkeypatch, number):
    def full(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(store, "write", full)
    with pytest.raises(InputError, match=f"cannot be written to .*{os.strerror(number)}.*the same command continues"):
        compare(Runs(), blocks=1)


def test_a_disk_that_is_full_for_a_run_ends_the_comparison_and_loses_no_loss(compare):
    with pytest.raises(InputError, match="cannot be written to"):
        compare(Runs(lambda run: "disk" if run.loss == "focal" else 0.7), blocks=1)
    runs = Runs()
    assert len(compare(runs, blocks=1).ranking) == 3
    assert {run.loss for run in runs.asked} == {"focal"}


def test_a_run_that_the_system_killed_is_tried_once_more(compare):
    killed = []

    def kills_once(run):
        if run.loss == "dice" and not killed:
            killed.append(run)
            return "killed"
        return 0.7

    found = compare(Runs(kills_once), blocks=1)
    assert (len(found.ranking), found.failures) == (3, [])
    runs = Runs(lambda run: "killed" if run.loss == "dice" else 0.7)
    found = compare(runs, blocks=2, epochs=7)
    assert len(runs.of(loss="dice")) == 2
    assert len(found.ranking) == 2


def test_data_that_fail_in_a_later_block_are_told(compare, monkeypatch):
    plain = Toy.data
    monkeypatch.setattr(Toy, "data", lambda self, seed: plain(self, seed) if seed < 2 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        compare(Runs(), blocks=3)


def test_failed_runs_are_tried_again(compare):
    compare(Runs(lambda run: "crashed" if run.loss == "dice" else 0.7), blocks=1)
    runs = Runs()
    assert len(compare(runs, blocks=1).ranking) == 3
    assert {run.loss for run in runs.asked} == {"dice"}


def test_changed_settings_are_told_and_run_again(compare, monkeypatch):
    compare(Runs(), blocks=1)
    monkeypatch.setattr(torch, "__version__", "99.0")
    heard = Heard()
    runs = Runs()
    compare(runs, blocks=1, progress=heard)
    assert len(runs.asked) == 3 * (3 + 1 + 1)
    (said,) = [line for line in heard.said if "not used" in line]
    assert "made with other settings (torch was" in said
    assert "now 99.0)" in said


def test_runs_at_a_time_and_their_order_change_nothing(compare, tmp_path):
    one, two = (
        compare(Runs(lambda run: 0.7 + noise(run)), blocks=4, jobs=jobs, out=tmp_path / str(jobs)) for jobs in (1, 3)
    )
    assert one.findings == two.findings


def test_any_backend_of_joblib_carries_it_out(compare, monkeypatch):
    """One that returns generators, as Dask's does, and one that returns lists only, as Ray's."""
    for backend in ("threading", "sequential"):
        with parallel_config(backend=backend):
            assert len(compare(Runs(), blocks=1, jobs=None).ranking) == 3
    monkeypatch.setattr("joblib._parallel_backends.ThreadingBackend.supports_return_generator", False)
    with parallel_config(backend="threading", n_jobs=2):
        assert len(compare(Runs(), blocks=2, jobs=None).runs) == 12


def test_one_rate_needs_no_tuning(compare):
    runs = Runs()
    found = compare(runs, rates=[0.01], blocks=1)
    assert {run.role for run in runs.asked} == {"tested"}
    assert {run.rate for run in runs.asked} == {0.01}
    assert [each.chosen for each in found.findings.tunings] == [0.01] * 3


def test_the_baseline_joins_the_losses_unless_it_is_none(compare):
    assert compare(Runs(), ["dice"], blocks=1).losses == ["dice", "bce"]
    assert compare(Runs(), ["dice"], blocks=1, baseline="ce").losses == ["dice", "ce"]
    assert compare(Runs(), ["dice"], blocks=1, baseline="none").losses == ["dice"]


def test_the_command_does_it_again(compare):
    found = compare(Runs(), ["dice", "my_losses.py:f"][:1], blocks=2, epochs=3)
    assert found.command == "losskit compare --losses 'dice, bce' --epochs 3 --blocks 2"


def test_a_result_is_whole_or_not_there(tmp_path, monkeypatch):
    path = Store(tmp_path).path({"loss": "x"})
    store.write(path, "1")

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        store.write(path, "22")
    assert path.read_text() == "1"


def test_a_file_of_the_user_that_changed_is_noticed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    mine = tmp_path / "mine.py"
    mine.write_text("a = 1")
    texts = ["dice + mine.py:a(x=1)", "2 * mine:a", "'mine.py':a"]
    before = [source_digest(text) for text in texts]
    mine.write_text("a = 2")
    assert all(was != source_digest(text) for was, text in zip(before, texts, strict=True))
    assert source_digest("dice") == source_digest("bce + focal(gamma=2)")
