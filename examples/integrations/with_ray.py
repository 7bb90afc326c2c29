"""Ray: a comparison on two workers, one of which is killed, with the numbers of `jobs=1`.

python examples/integrations/with_ray.py
"""

import tempfile
from pathlib import Path

import ray
from sweep_on_cluster import run

if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), "ray", ray.get_runtime_context().gcs_address)
    ray.shutdown()
