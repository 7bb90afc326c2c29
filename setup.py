"""Builds the C kernels, which use neither PyTorch nor the Python API, so one library fits all their versions."""

import runpy
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

SOURCES = [
    "losskit.c", "loss.c", "finish.c", "tape.c", "ranks.c", "distances.c", "wasserstein.c", "memory.c", "parallel.c",
    "kernels_avx512.c", "kernels_avx2.c", "kernels_plain.c",
]  # fmt: skip
CONSTANTS = "src/losskit/ops/constants.py"
FLAGS = ["-O3", "-std=gnu11", "-fno-math-errno", "-fno-trapping-math", "-Wall", "-Wextra", "-g0"]


class Kernels(build_ext):
    """Installs the package without a compiler too, and then removes the library of an earlier build."""

    def build_extension(self, ext: Extension) -> None:
        try:
            header = Path(self.build_temp) / "constants.h"
            header.parent.mkdir(parents=True, exist_ok=True)
            header.write_text(runpy.run_path(CONSTANTS)["HEADER"])
            ext.include_dirs.append(self.build_temp)
            super().build_extension(ext)
        except Exception as error:  # noqa: BLE001 - each toolchain fails in its own way
            Path(self.get_ext_fullpath(ext.name)).unlink(missing_ok=True)
            print(
                f"losskit: the C kernels were not built ({error}). Falling back to plain PyTorch: the same values, but "
                "slower. To build them, install a C compiler (gcc or clang) and reinstall losskit.",
                file=sys.stderr,
            )


class Wheel(bdist_wheel):
    """One wheel for Python 3.10 and later."""

    def finalize_options(self) -> None:
        self.py_limited_api = "cp310"
        super().finalize_options()


setup(
    ext_modules=[
        Extension(
            "losskit._native",
            sources=[f"csrc/{name}" for name in SOURCES],
            depends=["setup.py", CONSTANTS, *sorted(map(str, Path("csrc").iterdir()))],
            extra_compile_args=FLAGS,
            extra_link_args=["-lm", "-lpthread"],
            py_limited_api=True,
            optional=True,
        )
    ],
    cmdclass={"build_ext": Kernels, "bdist_wheel": Wheel},
)
