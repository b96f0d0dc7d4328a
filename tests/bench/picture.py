"""The README's picture: `htdl watch` on a terminal, of a real daemon and a swarm on loopback.

`python -m tests.bench.picture` writes it anew: what the command drew last, colours included.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import tempfile
import termios
import threading
from pathlib import Path

from rich.console import Console
from rich.text import Text

import htdl
from tests import clips
from tests.daemons import Daemon
from tests.swarm import Swarm
from tests.waiting import until

TARGET = Path(htdl.__file__).parent / "data" / "watching.svg"
COLUMNS, LINES = 96, 24
SECONDS = 90.0  # for all of it to be seen at once
_REDRAWN = re.compile(r"(?:\r|\x1b\[2K|\x1b\[1A|\x1b\[\?25[lh])+")  # rich goes back over what it drew
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # from elsewhere: a picture asks nobody for them
_SEEN = (r"converting", r"[23]\d% ▶ +[\d.]+M/s", r"queued", r"no peer|metadata")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="htdl-picture-") as folder, Swarm(Path(folder, "swarm")) as swarm:
        daemon = Daemon(
            Path(folder, "daemon"),
            {"conversion": {"enabled": True}, "torrent": {"max_active_downloads": 3}},
        )
        daemon.start()
        try:
            frame = _watch(daemon, swarm, Path(folder))
        finally:
            daemon.end()
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(f"\x1b[1m$ htdl watch\x1b[0m\n{frame}"))
    TARGET.write_text(_FONTS.sub("", console.export_svg(title="htdl")))


def _watch(daemon: Daemon, swarm: Swarm, folder: Path) -> str:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    drawn: list[str] = []
    _fill(daemon, swarm, folder)
    watch = subprocess.Popen(
        [*daemon.command, "watch"],
        env={**daemon.env, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    reading = threading.Thread(target=_read, args=(ours, drawn))
    reading.start()
    try:
        return until(lambda: _frame("".join(drawn)), SECONDS, "all is seen at once")
    finally:
        watch.terminate()
        watch.wait()
        reading.join()
        os.close(ours)


def _fill(daemon: Daemon, swarm: Swarm, folder: Path) -> None:
    """Films in every state: fast, slow, to be encoded, unknown to anybody, and one too many."""
    sample = clips.clip(folder, "mkv", seconds=20, size="640x360", noise=15)
    film = clips.repeated(sample, 30).read_bytes()
    old = clips.clip(folder, "avi", seconds=45, size="1280x720", noise=20).read_bytes()
    for name, content, rate in (
        ("Big Buck Bunny (2008).avi", old, 0),
        ("Sintel (2010) 1080p.mkv", film, 3 << 20),
        ("Tears of Steel (2012) 1080p.mkv", film, 200 << 10),
    ):
        daemon.client.add(swarm.seed({name: content}, name=name, rate=rate, seeders=2).magnet)
    daemon.client.add(f"magnet:?xt=urn:btih:{'c' * 40}&dn=Cosmos+Laundromat+(2015)")
    daemon.client.add(f"magnet:?xt=urn:btih:{'e' * 40}&dn=Elephants+Dream+(2006)")


def _read(terminal: int, drawn: list[str]) -> None:
    try:
        while data := os.read(terminal, 1 << 16):
            drawn.append(data.decode(errors="replace"))
    except OSError:  # Linux: the other end was closed
        return


def _frame(drawn: str) -> str | None:
    """The last but one that was drawn, which is whole, where all that is to be shown is in it."""
    frames = [frame for frame in _REDRAWN.split(drawn.replace("\r\n", "\n")) if "STATE" in frame]
    if len(frames) < 2 or not all(re.search(what, _plain(frames[-2])) for what in _SEEN):
        return None
    return frames[-2]


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


if __name__ == "__main__":
    main()
