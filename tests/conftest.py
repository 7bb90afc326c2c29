"""Settings of every test: one thread, the same examples on every run, and Triton's interpreter."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import pytest
import torch
from hypothesis import HealthCheck, settings

os.environ.setdefault("LOSSKIT_CACHE", os.devnull)  # no compiled node, unless a run sets the folder of one
torch.set_num_threads(1)
settings.register_profile(
    "losskit",
    derandomize=True,
    database=None,
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("losskit")


def pytest_collection_modifyitems(items):
    """One test in so many, where LOSSKIT_ONE_IN is set: what another run executes in full."""
    items[:] = items[:: int(os.environ.get("LOSSKIT_ONE_IN", "1"))]


@pytest.fixture(scope="session")
def interpreter():
    """A separate process in which Triton is set to run on the CPU before it is imported."""
    before = os.environ.get("TRITON_INTERPRET")
    os.environ["TRITON_INTERPRET"] = "1"
    try:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            pool.submit(torch.set_num_threads, 1).result()
            os.environ.pop("TRITON_INTERPRET")
            yield lambda function, *arguments: pool.submit(function, "cpu", *arguments).result()
    finally:
        os.environ.pop("TRITON_INTERPRET", None)
        if before is not None:
            os.environ["TRITON_INTERPRET"] = before
