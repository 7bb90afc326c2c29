"""Installs losskit with several versions of Python and PyTorch, and runs the operator and contract tests in each.

    make versions                                       this Python, torch 2.6.0 and the newest release
    make versions ARGS="--python python3.13 --torch 2.13.0 --compiler none"
    make versions ARGS="--compiler gcc clang none --source wheel sdist --tests test_operators.py"
    make versions ARGS=--table                          print the stored results

Every combination of the options is one row: it installs a copy of the tracked files as a user would, from the folder, a
wheel or a source distribution, imports losskit, runs `losskit --version`, checks whether the C kernels were built, and
runs the tests. versions.json stores the rows, each with its date, and the table of docs/speed.md is printed from it.
An environment needs up to 6 GB. It is deleted after its last row unless --keep is given.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
STORED = Path(__file__).with_suffix(".json")
PAGE = ROOT / "docs" / "speed.md"
BEGIN, END = "<!-- versions -->\n", "<!-- end of versions -->\n"
OLDEST = "2.6.0"
NEWEST = "newest"
COMPILERS = {"gcc": "gcc", "clang": "clang", "none": "/nonexistent/compiler"}
SOURCES = ("folder", "wheel", "sdist")
NEEDED = ("pytest>=8", "hypothesis>=6.100", "mpmath", "scipy", "build")
# The tests that need no other library of losses.
TESTS = (
    "test_operators.py", "test_operators_edges.py", "test_operators_gradients.py", "test_ranked_operator.py",
    "test_distances.py", "test_plans.py", "test_citizenship.py", "test_calling.py", "test_inputs.py", "test_weights.py",
    "test_golden.py", "test_own_formulas.py", "test_learned_options.py", "test_compose.py", "test_algebra.py",
    "test_kit.py",
)  # fmt: skip
ENTRY = """
import json, platform, torch, losskit
from losskit.ops import native
print(json.dumps([platform.python_version(), torch.__version__, losskit.__file__, native.AVAILABLE]))
"""


class Failed(Exception):
    """A step of a row, with the end of what it printed."""


def run(command: Sequence[str | Path], folder: Path, **variables: str) -> str:
    """What a command prints on stdout."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "LOSSKIT_BACKEND", "CC")}
    done = subprocess.run(
        [str(each) for each in command], cwd=folder, env=kept | variables, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()[-3:]
        raise Failed(f"{' '.join(map(str, command))}: {' '.join(said)}"[:600])
    return done.stdout


def environment(folder: Path, python: str, torch: str) -> Path:
    """The Python of an environment with this torch and what the tests need, made unless it exists."""
    version = run([python, "-c", "import platform; print(platform.python_version())"], folder).strip()
    place = folder / f"python{version}-torch{torch}"
    inside = place / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if not inside.exists():
        run([python, "-m", "venv", place], folder)
    required = "torch" if torch == NEWEST else f"torch=={torch}"
    run([inside, "-m", "pip", "install", "--quiet", "--no-cache-dir", required, *NEEDED], folder)
    return inside


def checkout(folder: Path) -> Path:
    """A copy of the tracked files, without what earlier builds left."""
    copy = folder / "losskit"
    for name in run(["git", "ls-files"], ROOT).splitlines():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    return copy


def install(python: Path, copy: Path, source: str, compiler: str) -> None:
    """Install the copy as a user would."""
    variables = {"CC": COMPILERS[compiler]}
    pip = [python, "-m", "pip"]
    run([*pip, "uninstall", "--quiet", "--yes", "losskit"], copy)
    wanted: list[str | Path] = ["."]
    if source != "folder":
        run([python, "-m", "build", f"--{source}", "--outdir", copy / "dist"], copy, **variables)
        wanted = sorted((copy / "dist").glob("*.whl" if source == "wheel" else "*.tar.gz"))
    run([*pip, "install", "--quiet", "--no-cache-dir", *wanted], copy, **variables)


def check(python: Path, folder: Path, compiler: str) -> tuple[str, str]:
    """The versions of Python and torch; raises an error unless losskit is installed as it should be."""
    version, torch, file, kernels = json.loads(run([python, "-c", ENTRY], folder).splitlines()[-1])
    if not Path(file).resolve().is_relative_to(python.parents[1].resolve()):
        raise Failed(f"losskit was imported from {file}")
    if kernels != (compiler != "none"):
        raise Failed(f"with compiler {compiler}, the C kernels were {'' if kernels else 'not '}built")
    said = run([python.with_name("losskit"), "--version"], folder)
    if not said.startswith("losskit "):
        raise Failed(f"losskit --version printed {said[:100]!r}")
    return version, torch


def tested(python: Path, copy: Path, tests: Sequence[str], select: str) -> dict[str, Any]:
    """The counts of passed and failed tests, and the first failures."""
    found = copy / "results.xml"
    command = [
        python, "-m", "pytest", "--tb=line", "-p", "no:cacheprovider", f"--junitxml={found}", "-m",
        "not browser and not slow", *(["-k", select] if select else []), *(f"tests/{name}" for name in tests),
    ]  # fmt: skip
    try:
        run(command, copy)
    except Failed:
        if not found.exists():
            raise
    cases = list(ET.parse(found).getroot().iter("testcase"))
    bad = [(case, wrong) for case in cases for wrong in case if wrong.tag in ("failure", "error")]
    skipped = sum(case.find("skipped") is not None for case in cases)
    first = [f"{case.get('name')}: {(wrong.get('message') or '').splitlines()[0][:160]}" for case, wrong in bad[:5]]
    return {"passed": len(cases) - len(bad) - skipped, "failed": len(bad), "skipped": skipped, "first": first}


def row(
    folder: Path, chosen: argparse.Namespace, python: str, torch: str, compiler: str, source: str
) -> dict[str, Any]:
    """One line of the table."""
    start = time.monotonic()
    line: dict[str, Any] = {"python": python, "torch": torch, "compiler": compiler, "source": source}
    line |= {"date": f"{dt.date.today()}", "tests": list(chosen.tests), "select": chosen.select}
    line |= {"passed": 0, "failed": 0, "skipped": 0, "first": []}
    try:
        inside = environment(folder, python, torch)
        with tempfile.TemporaryDirectory() as place:
            copy = checkout(Path(place))
            install(inside, copy, source, compiler)
            line["python"], line["torch"] = check(inside, Path(place), compiler)
            line |= tested(inside, copy, chosen.tests, chosen.select)
    except Failed as failure:
        line |= {"failed": 1, "first": [str(failure)]}
    return line | {"seconds": round(time.monotonic() - start)}


def key(line: dict[str, Any]) -> tuple[Any, ...]:
    """Rows are sorted by it, and a new row replaces the stored one of the same key."""
    numbers = [tuple(int(n) for n in line[k].split("+")[0].split(".") if n.isdigit()) for k in ("python", "torch")]
    return *numbers, list(COMPILERS).index(line["compiler"]), SOURCES.index(line["source"])


def load() -> list[dict[str, Any]]:
    return json.loads(STORED.read_text()) if STORED.exists() else []


def table(lines: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The rows as Markdown."""
    yield "| Python | torch | compiler | installed from | passed | failed | seconds | date |\n"
    yield "|---|---|---|---|---|---|---|---|\n"
    for line in lines:
        values = (line[k] for k in ("python", "torch", "compiler", "source", "passed", "failed", "seconds", "date"))
        yield f"| {' | '.join(map(str, values))} |\n"


def page(text: str, lines: Sequence[dict[str, Any]]) -> str:
    """The text of the documentation page with the table of these rows."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}{''.join(table(lines))}{END}{rest.split(END)[1]}"


def save(lines: list[dict[str, Any]]) -> None:
    STORED.write_text(json.dumps(lines, indent=1) + "\n")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), lines), encoding="utf-8")


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make versions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", nargs="+", default=[sys.executable], help="executables; default: this Python")
    parser.add_argument(
        "--torch", nargs="+", default=[OLDEST, NEWEST], help=f'versions, or "{NEWEST}"; default: {OLDEST} {NEWEST}'
    )
    parser.add_argument("--compiler", nargs="+", choices=COMPILERS, default=["gcc"], help="default: gcc")
    parser.add_argument("--source", nargs="+", choices=SOURCES, default=["folder"], help="default: folder")
    parser.add_argument("--tests", nargs="+", default=list(TESTS), metavar="FILE", help="files of tests/")
    parser.add_argument("--select", default="", metavar="EXPRESSION", help="pytest's -k")
    parser.add_argument("--folder", type=Path, help="where the environments are made; default: a temporary folder")
    parser.add_argument("--keep", action="store_true", help="keep the environments, and use those in --folder again")
    parser.add_argument("--table", action="store_true", help="print the stored results and stop")
    return parser


def main(given: Sequence[str] | None = None) -> int:
    parser = arguments()
    chosen = parser.parse_args(given)
    if chosen.keep and chosen.folder is None:
        parser.error("--keep needs --folder")
    if chosen.table:
        print("".join(table(load())), end="")
        return 0
    made = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = (chosen.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        for python in chosen.python:
            for torch in chosen.torch:
                for compiler in chosen.compiler:
                    for source in chosen.source:
                        line = row(folder, chosen, python, torch, compiler, source)
                        made.append(line)
                        print(list(table([line]))[-1] + "".join(f"    {each}\n" for each in line["first"]), flush=True)
                        save(sorted({key(each): each for each in (*load(), line)}.values(), key=key))
                if not chosen.keep:
                    for place in folder.glob(f"python*-torch{torch}"):
                        shutil.rmtree(place)
    print("".join(table(made)), end="")
    return int(any(line["failed"] for line in made))


if __name__ == "__main__":
    sys.exit(main())
