"""The console script as an installer writes it, and how long a command takes."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import htdl

_SCRIPT = """#!{python}
import sys
from htdl.cli.main import main
if __name__ == "__main__":
    sys.exit(main())
"""


class Script:
    """`htdl` in a folder of its own, with what of `env` it needs."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "htdl"
        self.path.write_text(_SCRIPT.format(python=sys.executable))
        self.path.chmod(0o755)
        self.env = plain_environment() | {key: value for key, value in env.items() if key.startswith("HTDL_")}

    def run(self, *args: str) -> str:
        """What it prints; raises where it fails."""
        done = subprocess.run(
            [self.path, *args], env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"htdl {' '.join(args)}: {done.returncode} {done.stderr}")
        return done.stdout


def plain_environment() -> dict[str, str]:
    """The least a Python with this htdl needs, so that all that is compared starts alike."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(htdl.__file__).parents[1]), "TERM": "xterm"}


def seconds(command: Sequence[str | Path], env: Mapping[str, str]) -> float:
    """From start to exit, with its output into a pipe."""
    start = time.perf_counter()
    subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return time.perf_counter() - start


def seconds_on_terminal(command: Sequence[str | Path], env: Mapping[str, str]) -> float:
    """The same on a terminal, which is when it draws."""
    ours, theirs = pty.openpty()
    start = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        while os.read(ours, 1 << 16):
            pass
    except OSError:  # EIO: the last who had it open is gone
        pass
    process.wait()
    taken = time.perf_counter() - start
    os.close(ours)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return taken
