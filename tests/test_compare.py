"""losskit compare end to end: real runs in fresh processes, failing, killed, resumed and repeated."""

import json
import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from joblib import parallel_config
from torch import nn
from torch.nn import functional as F
from typer.testing import CliRunner

import losskit
from losskit.cli.commands import app
from losskit.experiment import runs, training
from losskit.experiment.progress import Progress
from losskit.experiment.results import Done
from losskit.experiment.shipping import ship
from losskit.experiment.tasks.memory import given_task

LOSSES = """
import time
import torch

def turns_nan(input, target):
    return input.mean() * float("nan")

def crashes(input, target):
    print("a loss may print")
    raise KeyError("no such thing")

def hangs(input, target):
    time.sleep(600)

def per_item(input, target):
    return torch.nn.functional.cross_entropy(input, target, reduction="none")
"""
DIGITS = ("--task", "digits-noisy", "--baseline", "none", "--rates", "0.003", "--blocks", "1", "--epochs", "1")


def runs_of(out: Path) -> dict[str, dict]:
    """The measured runs in a folder, by loss."""
    records = [json.loads(path.read_text()) for path in (out / "runs").glob("*.json")]
    return {record["loss"]: record for record in records if record["role"] == "tested"}


def numbers(record: dict) -> dict:
    """The parts of a run that must be reproducible."""
    return {name: record[name] for name in ("scores", "curve", "calibration", "thresholds", "gradient", "validation")}


def command(out: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "losskit", "compare", "--out", str(out), *arguments]


def children(pid: int) -> list[int]:
    """Requires /proc."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def all_end(processes: list[int], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(Path(f"/proc/{pid}").exists() for pid in processes):
            return True
        time.sleep(0.1)
    return False


class Heard(Progress):
    """Records which runs were carried out."""

    def __init__(self) -> None:
        self.finished: list[str] = []

    def finish(self, done: Done) -> None:
        self.finished += [record["loss"] for record in done.fresh]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    (folder / "mine.py").write_text(LOSSES)
    return folder


@pytest.fixture(scope="module")
def finished(folder):
    """Two losses that work and four that fail, by the command line, two at a time."""
    mine = [f"mine.py:{name}" for name in ("turns_nan", "crashes", "hangs", "per_item")]
    arguments = ("--losses", ", ".join(["ce", "gce", *mine]), "--jobs", "2", "--patience", "20")
    return subprocess.run(
        command(Path("out"), *DIGITS, *arguments), cwd=folder, capture_output=True, text=True, timeout=600, check=False
    )


def test_prints_a_table_and_a_verdict(finished):
    assert finished.returncode == 0, finished.stderr
    assert re.search(r"^ *ce +a +0\.\d{3} .* 0\.003 ", finished.stdout, re.MULTILINE)
    assert "after 1 block that may be chance" in " ".join(finished.stdout.split())
    assert "ce, block 0: accuracy 0." in finished.stdout  # progress is also printed without a terminal


def test_json_has_the_decision_and_the_scores(finished, folder):
    assert finished.returncode == 0
    again = subprocess.run(
        command(Path("out"), *DIGITS, "--losses", "ce, gce", "--json"),
        cwd=folder, capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    found = json.loads(again.stdout)
    (only,) = found["comparisons"]
    assert {each["loss"] for each in only["ranking"]} == {"ce", "gce"}
    tested = runs_of(folder / "out")
    for each in only["ranking"]:
        assert each["scores"]["accuracy"]["mean"] == pytest.approx(tested[each["loss"]]["scores"]["accuracy"])
    assert only["decisions"][0]["kind"] == "early"
    assert Path(folder, found["report"]).is_file()


@pytest.mark.parametrize(
    ("loss", "kind", "why"),
    [
        ("turns_nan", "diverged", "the loss became nan"),
        ("crashes", "crashed", "KeyError: 'no such thing'"),
        ("hangs", "hung", "no step finished within 20 seconds, in hangs (mine.py, line 13)"),
        ("per_item", "crashed", "the loss returned shape (32,); training needs a single number"),
    ],
)
def test_a_failing_loss_is_named_with_its_reason_and_the_others_finish(finished, folder, loss, kind, why):
    assert f"mine.py:{loss}, block 0, tested, at 0.003 failed: " in finished.stderr
    assert why in finished.stderr
    records = runs_of(folder / "out")
    assert why in records[f"mine.py:{loss}"]["failure"]
    assert records[f"mine.py:{loss}"]["kind"] == kind
    assert {"ce", "gce"} == {name for name, record in records.items() if "scores" in record}


def test_every_loss_failing_exits_1(finished, folder, monkeypatch):
    monkeypatch.chdir(folder)
    arguments = ["compare", *DIGITS, "--losses", "mine.py:turns_nan", "--out", "none"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1, result.output
    assert "Every loss failed, so there is nothing to rank." in result.output


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither signal")
@pytest.mark.parametrize(("ending", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_after_a_kill_the_same_command_goes_on_and_finds_the_same(finished, folder, tmp_path, ending, code):
    out = tmp_path / "out"
    process = subprocess.Popen(
        command(out, *DIGITS, "--losses", "gce, ce", "--jobs", "1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.default_int_handler
        ),  # shells ignore it in background jobs
    )
    while process.poll() is None and not list((out / "runs").glob("*.json")):
        time.sleep(0.05)
    trainings = children(process.pid)
    process.send_signal(ending)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == code
    assert (ending == signal.SIGKILL) or "the same command continues from there" in complaints
    assert all_end(trainings)
    before = runs_of(out)
    assert list(before) == ["gce"]

    heard = Heard()
    options = {"task": "digits-noisy", "baseline": "none", "rates": [0.003], "blocks": 1, "epochs": 1}
    losskit.compare("gce, ce", **options, jobs=1, out=out, progress=heard)
    assert heard.finished == ["ce"]
    assert runs_of(out)["gce"] == before["gce"]
    for loss, record in runs_of(out).items():  # two at a time and never killed, there
        assert numbers(record) == numbers(runs_of(folder / "out")[loss])


def blobs(seed, count=24):
    """Noisy squares, and masks of them."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((count, 1, 16, 16), dtype=np.float32)
    for mask in masks[: 2 * count // 3]:
        y, x = rng.integers(10, size=2)
        mask[0, y : y + 6, x : x + 6] = 1
    return masks + rng.normal(0, 0.3, masks.shape).astype(np.float32), masks


class Squared(nn.Module):
    """A user-defined loss with a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, input, target):
        return self.weight.square() * F.mse_loss(input.sigmoid(), target)


def little_net(channels, classes):
    return nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, classes, 3, padding=1))


def test_what_the_caller_holds_in_memory_with_rates_to_choose(tmp_path):
    """Data, model, loss and metric as Python objects; the same numbers here and on other workers."""
    train, validation, test = (blobs(seed) for seed in range(3))

    def agreement(output, target):
        return float(((output > 0) == target.bool()).double().mean())

    def compare(out, jobs):
        return losskit.compare(
            {"squared": Squared()},
            little_net,
            torch.utils.data.TensorDataset(*map(torch.from_numpy, train)),
            validation,
            test,
            agreement,
            rates=[0.0003, 0.05, 10],
            blocks=1,
            epochs=2,
            baseline="none",
            jobs=jobs,
            out=tmp_path / out,
        )

    one = compare("one", 1)
    with parallel_config(backend="loky", n_jobs=2):
        other = compare("other", None)
    assert one.findings.metric.label == "agreement"
    assert one.findings.tunings[0] == other.findings.tunings[0]
    assert len(one.findings.tunings[0].tried) >= 3
    for name in ("scores", "gradient", "curve", "validation"):
        assert one.runs[0][name] == other.runs[0][name]
    assert 0.5 < one.runs[0]["scores"]["agreement"] <= 1


def test_a_planted_gap_is_found_by_real_training(tmp_path):
    """A loss that is least for the opposite comes last and is significantly worse."""
    found = losskit.compare(
        {"bce": F.binary_cross_entropy_with_logits, "opposite": lambda x, t: F.mse_loss(x, -t)},
        little_net,
        *(blobs(seed) for seed in range(3)),
        rates=[0.03],
        blocks=3,
        epochs=15,
        out=tmp_path,
    )
    assert found.verdict.startswith("Keep bce: nothing is better")
    assert found.ranking[1].behind.separated


TWO_THREADS = """
import torch
import losskit

def two_threads(input, target):
    torch.set_num_threads(2)
    x = torch.randn(4, 1, 256, 256, generator=torch.Generator().manual_seed(0), requires_grad=True)
    found = losskit.explain(losskit.DiceLoss() + losskit.BCEWithLogitsLoss(), x, (x > 0).float())
    assert "native" in str(found), found
    (losskit.DiceLoss() + losskit.BCEWithLogitsLoss())(x, (x > 0).float()).backward()
    assert torch.get_num_threads() == 2 and x.grad.isfinite().all()
    return torch.nn.functional.cross_entropy(input, target)
"""


def test_our_kernels_run_with_two_threads_in_a_child(folder, tmp_path, monkeypatch):
    """The OpenMP state of a forking process would hang its child after a parallel region."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "threads.py").write_text(TWO_THREADS)
    options = {"task": "digits-noisy", "baseline": "none", "rates": [0.003], "blocks": 1, "epochs": 1, "patience": 30}
    found = losskit.compare("threads.py:two_threads", **options, out=tmp_path / "out")
    assert [standing.loss for standing in found.ranking] == ["threads.py:two_threads"], found.failures


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere every process is fresh")
def test_a_forked_child_gives_the_bits_of_a_fresh_process(tmp_path, monkeypatch):
    """The weights of every learning rate, and everything measured with them."""
    options = {"task": "diabetes-outliers", "baseline": "none", "rates": [0.01, 0.03], "blocks": 1, "epochs": 2}
    forked = losskit.compare("huber", **options, out=tmp_path / "forked", jobs=2)
    monkeypatch.setattr(runs, "PROGRAM", [sys.executable, "-c", FRESH])
    fresh = losskit.compare("huber", **options, out=tmp_path / "fresh", jobs=1)
    assert fresh.failures == []
    assert len(forked.tuning) == len(fresh.tuning) >= 2
    for one, other in zip([*forked.tuning, *forked.runs], [*fresh.tuning, *fresh.runs], strict=True):
        for name in ("validation", "curve", "gradient", "rate", "role"):
            assert one[name] == other[name]
        assert one.get("scores") == other.get("scores")


FRESH = "from losskit.experiment import process; process.may_fork = lambda: False; process.end_with(process.main)"


def test_a_run_that_is_killed_is_done_again_and_what_waits_for_it_goes_on(tmp_path, monkeypatch):
    """Kills the process, as the system does when memory runs out: one kill is retried, two are a failure."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kills.py").write_text(KILLS)
    options = {"task": "digits-noisy", "baseline": "none", "rates": [0.003], "blocks": 1, "epochs": 1}
    found = losskit.compare("ce, kills.py:once, kills.py:always", **options, out=tmp_path / "out", jobs=1)
    assert {standing.loss for standing in found.ranking} == {"ce", "kills.py:once"}
    (failure,) = found.failures
    assert (failure["loss"], failure["kind"]) == ("kills.py:always", "killed")
    assert "memory ran out" in failure["failure"]


KILLS = """
import os, pathlib, signal
import torch

def once(input, target):
    if not pathlib.Path("killed").exists():
        pathlib.Path("killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return torch.nn.functional.cross_entropy(input, target)

def always(input, target):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_shipped_is_loaded_only_as_it_was_written(tmp_path):
    """A pickle runs code: a foreign one in the folder is rejected."""
    shipment = ship({"mine": Squared()}, None, None, tmp_path)
    run = training.Run("mine", 0, 0, "tested", 0.1, 1, 2, "dice", 1, 1, "", None, shipment.file, shipment.file_digest)
    assert isinstance(training.Parts.of(run).criterion, nn.Module)
    Path(shipment.file).write_bytes(pickle.dumps({"losses": {"mine": "bce"}}))
    with pytest.raises(PermissionError, match="has changed since this comparison wrote it"):
        training.Parts.of(run)


def test_train_alone_is_split_anew_in_every_block_by_group():
    inputs, masks = blobs(0, 40)
    task = given_task((inputs, masks), groups=[index // 4 for index in range(40)])
    assert task.groups == 10
    data = task.data(0)
    assert [len(data.train), len(data.validation), len(data.test)] == [24, 8, 8]
    place = {image.tobytes(): index // 4 for index, image in enumerate(inputs)}
    parts = [{place[i.numpy().tobytes()] for i in part.inputs} for part in (data.train, data.validation, data.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 10
    assert data.digest() == task.data(0).digest() != task.data(1).digest()


@pytest.mark.parametrize(
    ("targets", "kind", "classes"),
    [
        (np.zeros((6, 1, 4, 4)), "segmentation", 1),
        (np.arange(96).reshape(6, 4, 4) % 3, "segmentation", 3),
        (np.array([0, 1, 2, 0, 1, 2]), "classification", 3),
        (np.array([0.0, 1.0, 1.0, 0.0, 0.0, 1.0]), "classification", 1),
        (np.array([0.3, 1.0, 1.5, 0.0, 0.0, 1.0]), "regression", 1),
    ],
)
def test_what_targets_mean_is_read_off_them(targets, kind, classes):
    task = given_task((np.zeros((6, 1, 4, 4), dtype=np.float32), targets))
    assert (task.kind, task.classes) == (kind, classes)
    target = task.data(0).train.targets[0]
    assert target.dtype == (torch.int64 if classes > 1 else torch.float32)
