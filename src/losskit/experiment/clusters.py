"""Units on the workers of a Dask or Ray cluster. Both run a unit again elsewhere when its worker dies."""

import contextlib
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from losskit.experiment.tasks.task import InputError

PACKAGES = {"dask": "distributed", "ray": "ray"}  # by backend, what has to be installed
INSTALL = {"dask": 'pip install "dask[distributed]"', "ray": "pip install ray"}
AGAIN = 3  # times that a unit whose worker died is run again, as Dask does


class Cluster(Protocol):
    """Workers that carry out calls. A flying call is whatever `submit` returns."""

    workers: int  # calls at a time

    def submit(self, function: Callable[[Any], Any], argument: Any) -> Any: ...

    def first(self, flying: list[Any]) -> Any:
        """The first of these that is finished."""

    def result(self, finished: Any) -> Any: ...

    def close(self, flying: list[Any]) -> None:
        """Leave the cluster, and cancel what is not needed any more."""


class Dask:
    def __init__(self, address: str | None) -> None:
        from distributed import Client

        self.client = Client(address)  # its own on this machine where there is no address
        self.client.wait_for_workers(1)
        self.workers = sum(self.client.nthreads().values())

    def submit(self, function: Callable[[Any], Any], argument: Any) -> Any:
        return self.client.submit(function, argument, pure=False)

    def first(self, flying: list[Any]) -> Any:
        from distributed import wait

        return next(iter(wait(flying, return_when="FIRST_COMPLETED").done))

    def result(self, finished: Any) -> Any:
        return finished.result()

    def close(self, flying: list[Any]) -> None:
        with contextlib.suppress(Exception):  # of a scheduler that is gone
            self.client.cancel(flying)
        self.client.close()


class Ray:
    def __init__(self, address: str | None) -> None:
        import ray

        self.ray = ray
        self.began = not ray.is_initialized()
        if self.began:
            ray.init(address=address, log_to_driver=False)
        self.workers = int(ray.cluster_resources().get("CPU", 1))

    def submit(self, function: Callable[[Any], Any], argument: Any) -> Any:
        return self.ray.remote(num_cpus=1, max_retries=AGAIN)(function).remote(argument)

    def first(self, flying: list[Any]) -> Any:
        return self.ray.wait(flying, num_returns=1)[0][0]

    def result(self, finished: Any) -> Any:
        return self.ray.get(finished)

    def close(self, flying: list[Any]) -> None:
        for call in flying:
            self.ray.cancel(call, force=True)
        if self.began:
            self.ray.shutdown()


CLUSTERS: dict[str, Callable[[str | None], Cluster]] = {"dask": Dask, "ray": Ray}


def check_backend(backend: str | None, address: str | None) -> None:
    """A backend that does not exist or is not installed is an error before any training."""
    if backend is None:
        if address is not None:
            raise InputError(f"--address {address} belongs to a cluster; add --backend dask or --backend ray.")
        return
    if backend not in CLUSTERS:
        raise InputError(f"--backend is {' or '.join(CLUSTERS)}; got {backend!r}. Leave it out for this machine.")
    if importlib.util.find_spec(PACKAGES[backend]) is None:
        raise InputError(f"--backend {backend} needs {PACKAGES[backend]}: {INSTALL[backend]}.")


def connect(backend: str, address: str | None) -> Cluster:
    try:
        return CLUSTERS[backend](address)
    except (OSError, ValueError, ConnectionError, TimeoutError) as error:
        where = "a cluster on this machine" if address is None else address
        raise InputError(f"--backend {backend} does not reach {where}: {error}") from error


def on_cluster(
    cluster: Cluster, function: Callable[[Any], Any], arguments: Iterator[Any], workers: int
) -> Iterator[Any]:
    """The results as they arrive; as many calls fly as there are workers."""
    flying: list[Any] = []
    try:
        for argument in arguments:
            flying.append(cluster.submit(function, argument))
            if len(flying) >= workers:
                yield _next(cluster, flying)
        while flying:
            yield _next(cluster, flying)
    finally:
        cluster.close(flying)


def _next(cluster: Cluster, flying: list[Any]) -> Any:
    finished = cluster.first(flying)
    flying.remove(finished)
    return cluster.result(finished)
