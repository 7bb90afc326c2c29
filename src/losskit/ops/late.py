"""Problems that kernels on a device report: those of several calls are read back together, without stalling the queue.

The last launch of a loss writes its problem into a row of device memory. When all rows are filled, one copy into pinned
memory follows, and the next call after its arrival raises the error.
"""

from __future__ import annotations

from typing import Any

import torch

from losskit.ops import values

TOGETHER = 8  # calls whose problems are copied together


class Rows:
    """Rows (kind, value) that the launches of one stream fill."""

    def __init__(self, key: Any, device: torch.device) -> None:
        self.key = key
        self.found = torch.zeros((TOGETHER, 2), dtype=torch.float64, device=device)  # no problem
        self.address = self.found.data_ptr()
        self.row_size = self.found[0].nbytes
        self.free = list(range(TOGETHER - 1, -1, -1))
        self.losses: list[tuple[str, int]] = [("", 0)] * TOGETHER

    def send(self) -> None:
        """Copy the rows to the host, after the launches that fill them."""
        if values.open_rows.get(self.key) is self:
            del values.open_rows[self.key]
        if self.found.is_cuda and self.free:  # perhaps called on another stream
            torch.cuda.synchronize(self.found.device)
        values.report_rows(self.losses, self.found)

    def launched(self) -> None:
        """The launch that fills a row is in the queue; after that of the last row, the copy follows."""
        if not self.free:
            self.send()


def row_of(owner: str, classes: int, device: torch.device, stream: int | None) -> tuple[Rows | None, int]:
    """A row for a call, and its place; None while a graph is captured, from which nothing can be read back."""
    if device.type == "cuda":
        if torch.cuda.is_current_stream_capturing():
            return None, 0
        stream = torch._C._cuda_getCurrentRawStream(device.index) if stream is None else stream
    key = device, stream
    while True:
        rows: Any = values.open_rows.get(key)
        try:
            place = rows.free.pop()
        except (AttributeError, IndexError):  # there are none, or another thread took the last
            values.open_rows[key] = Rows(key, device)
            continue
        rows.losses[place] = owner, classes
        return rows, place
