"""A comparison on a cluster, with two threads in place of Dask's and Ray's workers, which `make integrations` has."""

import concurrent.futures

import pytest
from joblib import parallel_config

from losskit.experiment import clusters, comparison, sweep, units
from losskit.experiment.comparison import InputError
from test_compare_runs import LOSSES, Runs, Toy, noise


class Threads:
    """Two threads, as a cluster."""

    closed = 0

    def __init__(self, address):
        if address == "nowhere":
            raise OSError("nobody answers")
        self.pool, self.workers, self.most = concurrent.futures.ThreadPoolExecutor(2), 2, 0

    def submit(self, function, argument):
        return self.pool.submit(function, argument)

    def first(self, flying):
        self.most = max(self.most, len(flying))
        return next(iter(concurrent.futures.wait(flying, return_when="FIRST_COMPLETED").done))

    def result(self, finished):
        return finished.result()

    def close(self, flying):
        Threads.closed += 1
        self.pool.shutdown()


@pytest.fixture
def compare(monkeypatch, tmp_path):
    def carry_out(name, **options):
        monkeypatch.setattr(units, "run_in_process", Runs(lambda run: 0.7 + noise(run)))
        return comparison.compare(LOSSES, task=Toy(), blocks=3, out=tmp_path / name, **options)

    monkeypatch.setattr("losskit.experiment.report.write_report", lambda _: None)
    monkeypatch.setattr(clusters, "CLUSTERS", {"dask": Threads, "ray": Threads})
    monkeypatch.setattr(clusters, "PACKAGES", {"dask": "torch", "ray": "torch"})
    return carry_out


def test_a_cluster_finds_what_one_job_finds(compare):
    assert compare("cluster", backend="dask", address="here").findings == compare("one", jobs=1).findings
    assert Threads.closed == 1


def test_as_many_units_fly_as_there_are_workers(monkeypatch):
    cluster = Threads(None)
    assert sorted(clusters.on_cluster(cluster, lambda n: n * n, iter(range(20)), cluster.workers)) == [
        n * n for n in range(20)
    ]
    assert cluster.most == 2


def test_the_cluster_is_left_when_the_rest_is_not_needed():
    before, cluster = Threads.closed, Threads(None)
    results = clusters.on_cluster(cluster, str, iter(range(20)), 2)
    next(results)
    results.close()
    assert Threads.closed == before + 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"backend": "slurm"}, "--backend is dask or ray; got 'slurm'"),
        ({"address": "here"}, "--address here belongs to a cluster; add --backend dask"),
        ({"backend": "ray", "address": "nowhere"}, "--backend ray does not reach nowhere: nobody answers"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_an_error_that_says_why(options, said, compare):
    with pytest.raises(InputError, match=said):
        compare("wrong", **options)


def test_a_backend_that_is_not_installed_is_an_error_that_says_how(monkeypatch):
    monkeypatch.setitem(clusters.PACKAGES, "dask", "no_such_package")
    with pytest.raises(InputError, match=r'needs no_such_package: pip install "dask\[distributed\]"'):
        clusters.check_backend("dask", None)


def test_a_backend_of_joblib_uses_all_its_workers_unless_told_how_many(monkeypatch):
    """Its own default is one worker for some, such as Ray's, and one is the process that asks."""
    for jobs, wanted in ((None, -1), (3, 3)):
        with parallel_config(backend="loky", n_jobs=jobs):
            found = sweep.Sweep.workers.func(_of_request())
        assert found == wanted


def _of_request():
    class Of:
        cluster = None
        request = sweep.Request(1, 1, (0.1,), None, None, None, 60.0, 60.0)

    return Of()
