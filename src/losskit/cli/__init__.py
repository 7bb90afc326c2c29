"""Entry point of the command `losskit`. The commands are in `losskit.cli.commands`."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from losskit.version import INSTALL, INSTALL_COMPARE


def main() -> None:
    """Run the command line, or report the missing packages."""
    missing = [name for name in ("typer", "rich") if find_spec(name) is None]
    if missing:
        sys.exit(f"losskit: the command line needs {' and '.join(missing)}: {INSTALL}.")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a Greek letter shows ? instead

    from losskit.cli.commands import app  # imports typer and rich, which `import losskit` does not need

    try:
        app(prog_name="losskit")
    except ModuleNotFoundError as error:
        if (error.name or "losskit").startswith("losskit"):
            raise
        sys.exit(f"losskit: this command needs {error.name}: {INSTALL_COMPARE}.")
