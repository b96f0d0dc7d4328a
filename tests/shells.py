"""A real interactive shell on a terminal of its own, to press keys in."""

from __future__ import annotations

import os
import pty
import re
import select
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

_SECONDS = 60.0
_BEGIN, _END = "LINE<<", ">>"
DUMP = "\x07"  # Ctrl-G, which `setup` must bind to print the line between _BEGIN and _END


class Shell:
    """A context manager; `setup` is the first line it is told."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str], setup: str) -> None:
        # the child only becomes the shell; the parent has threads, which a fork does not carry over
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.execve(argv[0], argv, dict(environ))
        self._setup = setup
        self._heard = ""

    def __enter__(self) -> Shell:
        self._write(self._setup + "\r")
        self.type("")
        return self

    def type(self, keys: str) -> tuple[str, str]:
        """The command line after these keys, typed at its beginning, and what was printed meanwhile."""
        self._heard = ""
        self._write("\x15" + keys + DUMP)  # Ctrl-U forgets what stands there
        pattern = re.compile(re.escape(_BEGIN) + "(.*?)" + re.escape(_END), re.DOTALL)
        deadline = time.monotonic() + _SECONDS
        while not (match := pattern.search(self._heard)):
            self._read(deadline)
        return match[1], self._heard[: match.start()]

    def _write(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def _read(self, deadline: float) -> None:
        ready, _, _ = select.select([self._terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"the shell said nothing more: {self._heard!r}"
        self._heard += os.read(self._terminal, 65536).decode(errors="replace")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._terminal)  # a hang-up ends an interactive shell
        os.waitpid(self.pid, 0)
