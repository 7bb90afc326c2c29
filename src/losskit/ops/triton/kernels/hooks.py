"""The hooks with which a profiler asks Triton to report launches."""

from triton import knobs

runtime = knobs.runtime
