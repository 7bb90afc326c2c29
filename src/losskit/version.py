"""The version of losskit, and how it is installed."""

__version__ = "0.1.0"

# From a checkout until there is a release.
INSTALL = "run `pip install .` in a checkout of losskit"
INSTALL_COMPARE = 'run `pip install ".[compare]"` in a checkout of losskit'
