"""The sample tables of an MP4 track (ISO/IEC 14496-12, 8.6 and 8.7): when each sample plays, where it lies.

A film has 200,000 samples and more: whole tables go through C (array, itertools), a loop sees a few hundred.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from operator import mul

from htdl.stream.container.found import buckets

MAX_SAMPLES = 4_000_000  # 24 h of sound have about that many
MAX_RUNS = 500_000  # of frames at varying rates


@dataclass(frozen=True, slots=True)
class Runs:
    """Equal steps of a table: run i begins at `starts[i]` with the value `values[i]` and grows by
    `steps[i]` a piece.
    """

    starts: list[int]
    values: list[int]
    steps: list[int]

    def at(self, number: int) -> int:
        run = max(0, bisect_right(self.starts, number) - 1)
        return self.values[run] + (number - self.starts[run]) * self.steps[run]


@dataclass(frozen=True, slots=True)
class Track:
    """`times` is sample -> units, `firsts` chunk -> its first sample, `offsets` where the chunks lie."""

    scale: int
    times: Runs
    firsts: Runs
    offsets: array[int]
    sizes: array[int]
    size: int  # of each sample, where `sizes` is empty

    @property
    def first_sample(self) -> range:
        size = self.sizes[0] if self.sizes else self.size
        return range(self.offsets[0], self.offsets[0] + size)

    def points(self) -> Iterator[tuple[float, int]]:
        """(seconds, bytes): all that plays before lies before."""
        yield 0.0, self.offsets[0]
        for start, stop in buckets(len(self.offsets)):
            run = self.offsets[start:stop]
            last = max(run)
            chunk = start + run.index(last)
            yield self.times.at(self.firsts.at(stop)) / self.scale, last + self._chunk_bytes(chunk)

    def _chunk_bytes(self, chunk: int) -> int:
        first, stop = self.firsts.at(chunk), self.firsts.at(chunk + 1)
        return sum(self.sizes[first:stop]) if self.sizes else (stop - first) * self.size


def track_of(tables: Mapping[bytes, memoryview], scale: int) -> Track | None:
    """None where a table is missing, empty, too large, or makes no sense."""
    wide = b"co64" in tables
    offsets = tables.get(b"co64" if wide else b"stco")
    times, chunks, sizes = (tables.get(name) for name in (b"stts", b"stsc", b"stsz"))
    if offsets is None or times is None or chunks is None or sizes is None or not scale:
        return None
    size, count = struct.unpack_from(">II", sizes, 4)
    chunk_offsets = _entries(offsets, 1, "Q" if wide else "I")
    if not chunk_offsets or not 0 < count <= MAX_SAMPLES or len(chunk_offsets) > MAX_SAMPLES:
        return None
    sample_sizes = array("I") if size else _table(sizes[12 : 12 + count * 4], "I")
    if not size and len(sample_sizes) < count:
        return None
    time_runs, chunk_runs = _time_runs(_entries(times, 2)), _chunk_runs(_entries(chunks, 3))
    if time_runs is None or chunk_runs is None:
        return None
    return Track(scale, time_runs, chunk_runs, chunk_offsets, sample_sizes, size)


def _entries(table: memoryview, fields: int, code: str = "I") -> array[int]:
    """All fields of all entries of a full box that begins with their number."""
    (count,) = struct.unpack_from(">I", table, 4)
    return _table(table[8 : 8 + count * fields * array(code).itemsize], code)


def _table(view: memoryview, code: str) -> array[int]:
    table = array(code)
    table.frombytes(view[: len(view) // table.itemsize * table.itemsize])
    if sys.byteorder == "little":
        table.byteswap()
    return table


def _time_runs(entries: array[int]) -> Runs | None:
    """stts: so many samples of such a length each.  One run more holds the end: nothing plays behind it."""
    counts, deltas = entries[0::2], entries[1::2]
    if not 0 < len(deltas) == len(counts) <= MAX_RUNS:
        return None
    starts = list(accumulate(counts, initial=0))
    return Runs(starts, list(accumulate(map(mul, counts, deltas), initial=0)), [*deltas, 0])


def _chunk_runs(entries: array[int]) -> Runs | None:
    """stsc: from this chunk on, counted from 1, so many samples in each."""
    chunks, samples = entries[0::3], entries[1::3]
    if not 0 < len(entries) == 3 * len(chunks) <= 3 * MAX_RUNS or chunks[0] != 1:
        return None
    lengths = [later - earlier for earlier, later in pairwise(chunks)]
    if lengths and min(lengths) <= 0:
        return None
    firsts = accumulate(chain((0,), map(mul, lengths, samples)))
    return Runs([chunk - 1 for chunk in chunks], list(firsts), list(samples))
