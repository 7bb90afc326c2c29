"""Dask: a comparison on a LocalCluster of two workers, one of which is killed, with the numbers of `jobs=1`.

python examples/integrations/with_dask.py
"""

import tempfile
from pathlib import Path

from distributed import LocalCluster
from sweep_on_cluster import run

if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
    ):
        run(Path(folder), "dask", cluster.scheduler_address)
