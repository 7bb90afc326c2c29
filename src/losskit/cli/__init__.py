"""The command `losskit`: where it starts. The commands themselves are in `losskit.cli.commands`."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from losskit.version import INSTALL, INSTALL_COMPARE


def main() -> None:
    """Run the command line, or say what it needs."""
    missing = [name for name in ("typer", "rich") if find_spec(name) is None]
    if missing:
        sys.exit(f"losskit: the command line needs {' and '.join(missing)}: {INSTALL}.")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a Greek letter shows ? instead

    from losskit.cli.commands import app  # with typer and rich, which `import losskit` does without

    try:
        app(prog_name="losskit")
    except ModuleNotFoundError as error:
        if (error.name or "losskit").startswith("losskit"):
            raise
        sys.exit(f"losskit: this command needs {error.name}: {INSTALL_COMPARE}.")
