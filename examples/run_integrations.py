"""Run every example of examples/integrations, and every notebook, with what is installed: `make integrations`.

    python examples/run_integrations.py [NAME ...]

Each runs in a process of its own. What came of it, with date and versions, goes to docs/integrations.json, from which
docs/integrations.md prints its table; with names, only theirs is written anew. Exit code 1 if one failed.
"""

import ast
import datetime as dt
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples" / "integrations").glob("with_*.py"))
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
RESULTS = ROOT / "docs" / "integrations.json"
MINUTES = 20  # that one may take
PREPARED = ROOT / "examples" / "integrations" / "beside_cpu_torch"


def main(names):
    """Run those, or all; True if none failed."""
    environment = prepared()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    found = [path for path in (*EXAMPLES, *NOTEBOOKS) if not names or path.stem in names]
    if unknown := set(names) - {path.stem for path in found}:
        sys.exit(f"There is no example {', '.join(sorted(unknown))}.")
    outcomes = []
    for path in found:
        result = results[path.stem] = run(path, environment)
        outcomes.append(result["outcome"])
        print(f"{path.stem}: {result['outcome']} in {result['seconds']} s", flush=True)
        if result["outcome"] == "failed":
            print(result["printed"], flush=True)
        kept = {path.stem for path in (*EXAMPLES, *NOTEBOOKS)} & results.keys()
        RESULTS.write_text(json.dumps({name: results[name] for name in sorted(kept)}, indent=1) + "\n")
    passed, failed = outcomes.count("ok"), outcomes.count("failed")
    print(f"{passed} passed, {failed} failed, {len(outcomes) - passed - failed} skipped")
    return "failed" not in outcomes


def prepared():
    """The environment of the examples: nothing is downloaded, and torchvision can be imported."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "GLOO_SOCKET_IFNAME": "lo", "PYTHONUNBUFFERED": "1"}
    done = subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True, text=True, check=False)
    if "torchvision::nms does not exist" in done.stderr:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PREPARED), os.environ.get("PYTHONPATH")]))
    return environment


def run(path, environment):
    """What came of one example or notebook."""
    distributions = importlib.metadata.packages_distributions()
    modules = imports_of(path)
    missing = sorted(module for module in modules if module not in distributions and not known(module))
    versions = {
        name: importlib.metadata.version(name) for module in modules for name in distributions.get(module, [])[:1]
    }
    about = {"date": dt.date.today().isoformat(), "python": platform.python_version(), "versions": versions}
    if missing:
        return {**about, "outcome": f"skipped, {', '.join(missing)} not installed", "seconds": 0, "printed": ""}
    started = time.monotonic()
    command = [sys.executable, *([] if path.suffix == ".py" else [__file__, "--notebook"]), str(path)]
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60 * MINUTES,
            check=False,
        )
        outcome, printed = "failed" if done.returncode else "ok", done.stdout
    except subprocess.TimeoutExpired as error:
        outcome, printed = "failed", f"{(error.stdout or b'').decode()}\nnot done after {MINUTES} minutes"
    seconds = round(time.monotonic() - started)
    return {**about, "outcome": outcome, "seconds": seconds, "printed": printed if outcome == "failed" else ""}


def imports_of(path):
    """The packages that an example imports."""
    text = path.read_text()
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    found = ["nbclient", "ipykernel"] if path.suffix == ".ipynb" else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
    return sorted({name.split(".")[0] for name in found})


def known(module):
    """Whether it comes with Python or lies beside the examples."""
    return module in sys.stdlib_module_names or (EXAMPLES[0].parent / f"{module}.py").exists()


def execute(path):
    """A notebook, every cell; an error in one is an error here."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    NotebookClient(notebook, timeout=60 * MINUTES, kernel_name="python3").execute()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--notebook"]:
        execute(sys.argv[2])
    else:
        sys.exit(0 if main(sys.argv[1:]) else 1)
