"""The command line: arguments, output and exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

import losskit
from cases import ENTRIES
from losskit.cli.commands import app
from losskit.core.catalogue import Entry, find, names_of, short_name
from losskit.figures.tex import prose, readable
from losskit.ops import native


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), prog_name="losskit", catch_exceptions=False)


def process(*arguments: str, without: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """The installed command in a separate process, with packages hidden from it."""
    hide = "".join(f"sys.modules[{name!r}] = None; " for name in without.split())
    code = f"import sys; {hide}from losskit.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **settings},
    )


# list


def test_list_names_every_loss_with_its_family() -> None:
    result = run("list")
    assert result.exit_code == 0
    rows = [line.split()[:3] for line in result.stdout.splitlines()[1:]]
    for entry in ENTRIES:
        assert [short_name(entry.loss), entry.loss.__name__, entry.family] in rows
        assert entry.summary in result.stdout


def test_list_of_a_family_and_of_a_word() -> None:
    assert {line.split()[2] for line in run("list", "--family", "region").stdout.splitlines()[1:]} == {"region"}
    found = run("list", "tversky").stdout
    assert "FocalTverskyLoss" in found
    assert "MSELoss" not in found
    assert "MSELoss" in run("list", "LEAST SQUARES").stdout  # a word of the description


def test_list_marks_losses_that_nothing_outside_holds(tmp_path: Path) -> None:
    own = tmp_path / "own_for_list.py"
    own.write_text("import losskit\n@losskit.regression_loss\ndef unheld(input, target):\n    return input - target\n")
    losskit.build(f"{own}:unheld", references=True)
    result = run("list", "unheld")
    assert result.stdout.splitlines()[1].startswith("unheld *")
    assert "no independent reference" in result.stdout
    assert "*" not in run("list", "--family", "region").stdout


def test_list_and_show_as_json() -> None:
    listed = json.loads(run("list", "--family", "region", "--json").stdout)
    assert {loss["name"] for loss in listed} == {short_name(e.loss) for e in ENTRIES if e.family == "region"}
    shown = json.loads(run("show", "DiceLoss", "--json").stdout)
    assert shown in listed
    assert (shown["class"], shown["function"], shown["family"]) == ("DiceLoss", "dice_loss", "region")
    assert {"name": "smooth", "default": "0.0"}.items() <= shown["options"][0].items()
    every = {loss["class"]: loss["family"] for loss in json.loads(run("list", "--json").stdout)}
    assert {e.loss.__name__: e.family for e in ENTRIES}.items() <= every.items()


@pytest.mark.parametrize("columns", [45, 80, 200])
def test_terminals_of_any_width_break_no_name(columns: int) -> None:
    settings = {"FORCE_COLOR": "1", "COLUMNS": str(columns), "TERM": "xterm"}
    listed, shown = (
        re.sub(r"\x1b\[[\d;]*m", "", process(*command, **settings).stdout) for command in (("list",), ("show", "dice"))
    )
    for text in (listed, shown):
        assert max(map(len, text.splitlines())) <= columns
        assert "…" not in text
    words = set(listed.split())
    assert all({short_name(e.loss), e.loss.__name__, e.family} <= words for e in ENTRIES)
    assert set(find("dice").loss.options) <= set(shown.split())


# show


@pytest.mark.parametrize("name", ["dice", "DiceLoss", "dice_loss", "DICE"])
def test_show_by_every_name(name: str) -> None:
    result = run("show", name)
    assert result.exit_code == 0
    for part in (
        "1 - (2 TP + s) / (P + T + s)",  # the formula
        "smooth              0.0",  # an option with its default
        "one of 'sample', 'batch'",  # a domain
        "arXiv:1606.04797",  # the source
        "nnU-Net returns minus Dice",  # other meanings of the name
        "monai.losses.DiceLoss",  # the authority
        "losskit.functional.dice_loss",
    ):
        assert part in result.stdout


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_show_tells_all_of_every_loss(entry: Entry) -> None:
    shown = " ".join(run("show", entry.loss.__name__).stdout.split())
    assert "Source:" in shown
    for name in [*entry.loss.options, *names_of(entry.loss)]:
        assert name in shown
    assert not {"\\", ":math:", ".. math::", "``", "{}"} & set(shown.split(" "))
    assert "\\frac" not in shown
    assert "$" not in shown


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"(x - y)^2", "(x - y)²"),
        (r"\frac{a}{b}", "a / b"),
        (r"1 - \frac{2\,TP + s}{P + T + s}", "1 - (2 TP + s) / (P + T + s)"),
        (r"\frac{1}{C} \sum_i x_i", "(1 / C) Σ_i x_i"),
        (r"\left(1 - \frac{a}{b + c}\right)^{\gamma}", "(1 - a / (b + c))^γ"),
        (r"-\alpha_t (1 - p_t)^{\gamma} \log p_t", "-α_t (1 - p_t)^γ log p_t"),
        (r"e^{-(x + 1)}", "e^(-(x + 1))"),
        (r"J_{i-1}", "J_{i-1}"),
        (r"\mathrm{softmax}(x + \log\pi)_c", "softmax(x + log π)_c"),
        (r"\begin{cases} x & y = 1 \\ \max(0, m - x) & \text{else}\end{cases}", "{ x if y = 1; max(0, m - x) else }"),
        (r"\sqrt{x^2 + 1}", "√(x² + 1)"),
        (r"x^2y", "x²y"),
        (r"\hat y \in \{0, 1\}", "y^ ∈ {0, 1}"),
    ],
)
def test_formulas_in_plain_text(latex: str, text: str) -> None:
    assert readable(latex) == text


def test_prose_without_markup() -> None:
    assert prose(r"with :math:`\alpha` as ``x`` and `y` in :class:`Z`") == "with α as x and y in Z"


# plot


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_plot_writes_the_picture_it_names(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / "made" / f"curves{suffix}"
    result = run("plot", "focal(gamma=2)", "bce, dice", "-o", str(out))
    assert result.exit_code == 0
    assert result.stdout == f"{out}: focal(gamma=2), bce, dice\n"
    begins = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix]
    assert out.read_bytes().startswith(begins)


def test_plot_of_a_users_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def twice(input, target):\n    return 2 * (input - target).abs().mean()\n")
    out = tmp_path / "curves.png"
    assert run("plot", f"{tmp_path}/mine.py:twice", "--over", "error", "-o", str(out)).exit_code == 0
    assert out.stat().st_size > 5000


# Errors


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["lst"], 2, "There is no command 'lst'; did you mean \"list\"? The commands are list, show, plot, check"),
        (["dice"], 2, "dice is a loss, not a command. See it with: losskit show dice"),
        (["list", "--family", "regon"], 2, 'did you mean "region"?'),
        (["list", "tverskyy"], 1, 'did you mean "tversky"?'),
        (["show", "dcie"], 2, 'did you mean "dice"?'),
        (["show", "focal(gamma=2)"], 2, "losskit plot 'focal(gamma=2)'"),
        (["show", "torch.nn:MSELoss"], 2, "was not made with losskit"),
        (["show", "nothing.py:loss"], 2, "There is no file nothing.py"),
        (["show"], 2, "Missing argument"),
        (["plot"], 2, "Missing argument"),
        (["plot", "dice + 0.5 * focl(gamma=2)"], 2, "  dice + 0.5 * focl(gamma=2)\n               ^^^^\n"),
        (["plot", "dice(softmax=True)"], 2, "mode='multiclass'"),
        (["plot", "dice", "-o", "curves.jpgg"], 2, "ends in one of .png"),
        (["plot", "dice", "--over", "logitt"], 2, 'did you mean "logit"?'),
        (["plot", "ctc"], 2, "it has no curve"),
        (["plot", "dice", "--ot", "x.png"], 2, "No such option"),
        (["plot", "dice", "-o", "file/curves.png"], 1, "file/curves.png cannot be written"),
    ],
)
def test_errors_and_exit_codes(
    arguments: list[str], code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    result = run(*arguments)
    assert result.exit_code == code
    assert said in result.stderr
    assert result.stdout == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def test_help_teaches_by_example() -> None:
    for arguments in ([], ["list"], ["show"], ["plot"]):
        result = run(*arguments, "--help")
        assert result.exit_code == 0
        assert result.stdout.count("\n  losskit ") >= 3
    assert "--losses" in run("compare", "--help").stdout


# End to end


def test_the_installed_command_without_a_terminal() -> None:
    command = Path(sys.executable).with_name("losskit")
    result = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr) == (0, "")
    first, cpu, gpu = result.stdout.splitlines()
    assert first.startswith(f"losskit {losskit.__version__} (torch {torch.__version__}")
    assert cpu == f"on the CPU: native (C kernels, {native.level()})"
    assert gpu.startswith(("on the GPU: triton (Triton ", "on the GPU: reference (plain PyTorch), Triton is"))


def test_a_pipe_gets_whole_lines_without_colour() -> None:
    result = process("list", COLUMNS="40", TERM="dumb")
    assert (result.returncode, result.stderr) == (0, "")
    assert "\x1b" not in result.stdout
    line = next(line for line in result.stdout.splitlines() if line.startswith("dice "))
    assert line.split(None, 3)[3].strip() == find("dice").summary


def test_a_terminal_without_greek_letters() -> None:
    result = process("show", "focal", PYTHONIOENCODING="ascii")
    assert result.returncode == 0
    assert "(1 - p_t)^? log p_t" in result.stdout


@pytest.mark.parametrize(
    ("without", "arguments", "said"),
    [
        ("typer rich", ["list"], "needs typer and rich: run `pip install .` in a checkout"),
        ("matplotlib", ["plot", "dice"], 'Plots need matplotlib: run `pip install ".[compare]"` in a checkout'),
        ("sklearn scipy jinja2", ["compare", "--blocks", "1"], 'run `pip install ".[compare]"` in a checkout'),
    ],
)
def test_what_is_missing_is_named(without: str, arguments: list[str], said: str, tmp_path: Path) -> None:
    result = process(*arguments, without=without)
    assert result.returncode != 0
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_the_small_commands_need_no_extra_but_their_own() -> None:
    result = process(
        "list", "--family", "region", without="scipy sklearn skimage matplotlib jinja2 joblib torchmetrics"
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "DiceLoss" in result.stdout
