"""Whether the bytes of a file lie in memory already: sendfile waits for a disk, and the event loop with it.

A warm file costs a few system calls a block; what is cold is read by a thread first.
"""

from __future__ import annotations

import os
from io import FileIO

PROBE_STEP = 1 << 20  # a kernel reads ahead 128 KiB and more, and forgets old pages by the thousand
LOAD_BLOCK = 1 << 20  # loaded at a time, 10 ms of a slow disk: the first byte need not wait for more
AHEAD = 8 << 20  # what the disk is asked for meanwhile
_BUFFER = 128 << 10


def is_cached(file: FileIO, block: range) -> bool:
    """Whether reading this waits for no disk, by samples (preadv2(2), RWF_NOWAIT); also True where the system
    cannot tell.
    """
    if not hasattr(os, "RWF_NOWAIT"):  # Linux has it
        return True
    one = [bytearray(1)]
    try:
        for offset in (*block[::PROBE_STEP], block[-1]):
            os.preadv(file.fileno(), one, offset, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    except OSError:  # the file system cannot tell, or the disk fails: who sends it hears of that
        return True
    return True


def load(file: FileIO, block: range) -> None:
    """Bring this into memory.  Blocks: for a thread."""
    buffer = [bytearray(_BUFFER)]
    try:
        os.posix_fadvise(file.fileno(), block.start, AHEAD, os.POSIX_FADV_WILLNEED)
        for offset in block[::_BUFFER]:
            os.preadv(file.fileno(), buffer, offset)
    except (OSError, ValueError):  # the disk fails, which who sends it hears of; or it was closed meanwhile
        pass
