"""losskit compare from end to end: real runs in fresh processes, resumed, failing and repeated."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from losskit.commands import app
from losskit.experiment import compare
from losskit.experiment.progress import Progress

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

def per_pixel(input, target):
    return (input - target) ** 2
"""


def lines_of(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def command(out: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "losskit", "compare", "--out", str(out), *arguments]


def children(pid: int) -> list[int]:
    """Where /proc tells."""
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
    """Remembers what a comparison says."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.finished: list[tuple[str, int]] = []

    def say(self, message: str) -> None:
        self.said.append(message)

    def finish(self, record: dict) -> None:
        self.finished.append((record["loss"], record["seed"]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    (folder / "mine.py").write_text(LOSSES)
    return folder


@pytest.fixture(scope="module")
def finished(folder):
    """Two losses that work and four that fail, by the command line, two at a time."""
    mine = [f"mine.py:{name}" for name in ("turns_nan", "crashes", "hangs", "per_pixel")]
    arguments = ("--losses", ", ".join(["dice", "bce", *mine]), "--seeds", "1", "--epochs", "1")
    return subprocess.run(
        command(Path("out"), *arguments, "--jobs", "2", "--patience", "30"),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_prints_a_table_and_a_verdict(finished):
    assert finished.returncode == 0, finished.stderr
    assert "mean image Dice" in finished.stdout
    assert re.search(r"^ *dice +0\.\d{3} +[01]\.\d{3} +\d+\.\d +\d+\.\d\d +\d+ *$", finished.stdout, re.MULTILINE)
    assert "with one seed that may be chance" in finished.stdout
    assert "[6/6]" in finished.stdout  # progress is told without a terminal as well


@pytest.mark.parametrize(
    ("loss", "why"),
    [
        ("turns_nan", "the loss became nan at step 1 of 20"),
        ("crashes", "KeyError: 'no such thing'"),
        ("hangs", "no step finished within 30 seconds, in hangs (mine.py, line 13)"),
        ("per_pixel", "the loss returned shape (8, 1, 48, 48); training needs one number"),
    ],
)
def test_a_failing_loss_is_named_with_its_reason_and_the_others_finish(finished, folder, loss, why):
    assert f"mine.py:{loss}, seed 0 failed: " in finished.stderr
    assert why in finished.stderr
    assert why.replace("'", "&#39;") in (folder / "out" / "report.html").read_text()
    records = {record["loss"]: record for record in lines_of(folder / "out")}
    assert why in records[f"mine.py:{loss}"]["failure"]
    assert {"dice", "bce"} == {name for name, record in records.items() if "scores" in record}


def test_the_report_holds_everything_itself(finished, folder):
    page = (folder / "out" / "report.html").read_text()
    addresses = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"'\s)>]+)""", page)
    assert addresses
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in addresses)
    pictures = re.findall(r"<img [^>]*>", page)
    assert len(pictures) == 12
    assert all(re.search(r'alt="[^"]{20,}"', picture) for picture in pictures)
    assert "losskit compare --task scenes --losses" in page
    assert "torch 2." in page
    assert page.count("<svg") == 1


def test_a_seed_repeats_bit_for_bit_whatever_the_jobs(finished, folder, tmp_path):
    again = compare(["bce", "dice"], seeds=1, epochs=1, jobs=1, out=tmp_path)
    first = {record["loss"]: record for record in lines_of(folder / "out")}
    assert len(again.runs) == 2
    for record in again.runs:
        assert record["scores"] == first[record["loss"]]["scores"]
        assert record["curve"] == first[record["loss"]]["curve"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither signal")
@pytest.mark.parametrize(("ending", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_second_start_does_what_is_missing(tmp_path, ending, code):
    out = tmp_path / "out"
    arguments = ("--losses", "bce, dice", "--seeds", "1", "--epochs", "1", "--jobs", "1")
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        command(out, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.default_int_handler
        ),  # shells ignore it in background jobs
    )
    results = out / "results.jsonl"
    while process.poll() is None and not (results.exists() and results.read_text().endswith("\n")):
        time.sleep(0.1)
    trainings = children(process.pid)
    process.send_signal(ending)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == code
    assert (ending == signal.SIGKILL) or "the same command goes on from there" in complaints
    assert all_end(trainings)
    before = lines_of(out)
    assert len(before) == 1
    results.write_text(results.read_text() + '{"loss": "dice", "se')  # what a killed process may leave

    heard = Heard()
    comparison = compare("bce, dice", seeds=1, epochs=1, jobs=2, out=out, progress=heard)
    assert f"1 of 2 runs are in {results} already; 1 to do." in heard.said
    assert heard.finished == [("dice", 0)]
    assert lines_of(out)[0] == before[0]
    assert len(lines_of(out)) == len(comparison.runs) == 2


def test_changed_settings_are_told_and_run_again(finished, folder, monkeypatch):
    monkeypatch.chdir(folder)
    heard = Heard()
    comparison = compare("bce", seeds=1, epochs=2, out="out", progress=heard)
    assert heard.finished == [("bce", 0)]
    assert any("were made with other settings (epochs was 1, now 2)" in line for line in heard.said)
    assert [(record["loss"], record["steps"]) for record in lines_of(folder / "out")] == [("bce", 40)]
    assert len((folder / "out" / "results-old.jsonl").read_text().splitlines()) == 2
    assert comparison.verdict == f"bce reaches mean image Dice {comparison.ranking[0].scores['dice'].mean:.3f}; " + (
        "it is the only loss here."
    )


def test_digits_with_every_loss_failing_exit_1(folder, monkeypatch):
    monkeypatch.chdir(folder)
    arguments = ["compare", "--task", "digits-noisy", "--losses", "mine.py:turns_nan", "--seeds", "1", "--out", "none"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1, result.output
    assert "Every loss failed, so there is nothing to rank." in result.output
    assert "Every loss failed" in (folder / "none" / "report.html").read_text()


def test_digits_learn_in_spite_of_the_noise(tmp_path):
    comparison = compare("gce(q=0.7)", task="digits-noisy", seeds=1, out=tmp_path)
    score = comparison.ranking[0].scores["accuracy"]
    assert 0.75 < score.mean <= 1  # learning the wrong labels by heart gives 0.6
    assert (tmp_path / "report.html").read_text().count("<img ") == 12


def test_own_images_of_several_sizes_and_classes(tmp_path):
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    for index in range(6):
        shape = (40 + 3 * index, 300 if index == 0 else 50)
        mask = np.zeros(shape, dtype=np.uint8)
        mask[5:20, 5:20], mask[25:35, 10:40] = 100, 200
        np.save(tmp_path / "images" / f"{index}.npy", mask / 255 + rng.normal(0, 0.1, shape))
        np.save(tmp_path / "masks" / f"{index}.npy", mask)
    heard = Heard()
    comparison = compare(
        "ce",
        images=tmp_path / "images",
        masks=tmp_path / "masks",
        seeds=1,
        epochs=60,
        out=tmp_path / "out",
        progress=heard,
    )
    assert "The values of the masks were taken as classes in order: 0 is class 0, 100 is class 1, 200 is class 2." in (
        heard.said
    )
    assert any("larger than 256 pixels were scaled down" in line for line in heard.said)
    assert comparison.failures == []
    assert comparison.ranking[0].scores["dice"].mean > 0.5
