"""On PYTHONPATH, lets torchvision be imported beside a torch of another build, in every process that Python starts.

`examples/run_integrations.py` puts it there where torchvision needs it, as it does beside a torch for the CPU alone.
"""

import importlib.util
import sys
from pathlib import Path

PEERS = Path(__file__).parents[3] / "tests" / "peers.py"


class BeforeTorchvision:
    """Declares the operators that torchvision describes without having them, when it is about to be imported."""

    def __init__(self):
        self.peers = None  # kept, since operators live as long as the module that declared them

    def find_spec(self, name, path=None, target=None):
        if name == "torchvision" and self.peers is None:
            spec = importlib.util.spec_from_file_location("peers", PEERS)
            self.peers = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(self.peers)
            self.peers.declare_operators_of_torchvision()


sys.meta_path.insert(0, BeforeTorchvision())
