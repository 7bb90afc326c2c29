"""The C kernels under AddressSanitizer and UndefinedBehaviorSanitizer, over the cases of the operators' tests."""

import os
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from losskit.ops import constants
from test_memory_shortage import COMPUTED

ROOT = Path(__file__).parent.parent
SANITIZE = "-fsanitize=address,undefined"
FLAGS = f"-std=gnu11 -O1 -g1 -fno-math-errno -fno-trapping-math -fPIC -fno-omit-frame-pointer {SANITIZE}".split()
COMPILER = shutil.which("gcc")
pytestmark = pytest.mark.skipif(
    COMPILER is None or platform.system() != "Linux",
    reason="gcc's sanitizers, as it has them on Linux",
)


def sanitizer(name):
    found = subprocess.run([COMPILER, f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    return found.stdout.strip()


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The kernels with sanitizers."""
    folder = tmp_path_factory.mktemp("sanitized")
    sources = sorted((ROOT / "csrc").glob("*.c"))
    (folder / "constants.h").write_text(constants.HEADER)

    def compile(path):
        subprocess.run([COMPILER, *FLAGS, f"-I{folder}", "-c", path, "-o", folder / f"{path.stem}.o"], check=True)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(compile, sources))
    made = folder / "native.so"
    objects = [folder / f"{path.stem}.o" for path in sources]
    subprocess.run([COMPILER, "-shared", SANITIZE, "-o", made, *objects, "-lm"], check=True)
    return made


def watched(library, kind, seeds=()):
    """A process that runs the cases with this library, where anything the sanitizers see ends it."""
    preloaded = " ".join(sanitizer(name) for name in ("libasan.so", "libubsan.so"))
    options = {
        "LD_PRELOAD": preloaded,
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
        "OMP_NUM_THREADS": "2",
    }
    return subprocess.run(
        [sys.executable, "-W", "ignore", ROOT / "tests" / "sanitized.py", library, kind, *map(str, seeds)],
        capture_output=True, text=True, timeout=300, check=False, env={**os.environ, **options},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "count"), [("sums", 120), ("ranks", 60), ("differences", 40), ("shortage", len(COMPUTED))]
)
def test_nothing_is_read_or_written_that_is_not_the_kernels_own(library, kind, count):
    done = watched(library, kind, range(count))
    assert done.returncode == 0, done.stdout + done.stderr[-6000:]
    assert "Sanitizer" not in done.stderr
    assert "runtime error" not in done.stderr
    assert done.stdout.split()[-1] == str(count)


def test_the_sanitizers_see_what_is_read_beyond_a_tensor(library):
    """Strides that are twice as large as they should be: the other test can fail."""
    done = watched(library, "beyond")
    assert done.returncode != 0
    assert "AddressSanitizer: heap-buffer-overflow" in done.stderr
