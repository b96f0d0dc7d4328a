"""The player: which one, what it is told, and how it ended.

It is a program and its arguments, and the video's URL comes last.  No shell reads any of it.
"""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from htdl.cli import units
from htdl.errors import HtdlError

_USUAL = ("mpv", "vlc")
_HINT = "install mpv or vlc, name another one with --player, or watch in the browser with --page"
FAILED = "player_failed"
"""The code of the error that says how a player failed."""
_SEE_ABOVE = "what it printed above says why"
_MAX_TITLE = 200
_INTERRUPTED = 128 + signal.SIGINT


def named(command: str, environ: Mapping[str, str]) -> list[str]:
    """A command line, split as a shell would.  Raises HtdlError where it names no program that is there."""
    try:
        words = shlex.split(command)
    except ValueError as exc:
        fault = f"the player {command!r} cannot be read: {exc}"
        raise HtdlError(fault, hint=f"look at its quotation marks, or {_HINT}", code="no_player") from exc
    if not words or not shutil.which(words[0], path=environ.get("PATH")):
        raise HtdlError(
            f"the player {words[0] if words else command!r} is not installed", hint=_HINT, code="no_player"
        )
    return words


def usual(environ: Mapping[str, str]) -> list[str]:
    """The first of the usual ones that is installed; empty where none is."""
    return [x for x in _USUAL if shutil.which(x, path=environ.get("PATH"))][:1]


def can_begin(command: Sequence[str], begin: float) -> bool:
    """Whether this player can be told to begin there: the way differs from player to player."""
    return not begin or bool(_options(command[0], "", begin))


def call(
    command: Sequence[str], url: str, *, title: str, begin: float, subtitles: Sequence[str] = ()
) -> list[str]:
    """All arguments; `begin` is in seconds, `title` a stranger's text, `subtitles` are URLs."""
    harmless = "".join(x for x in title if x.isprintable())[:_MAX_TITLE]
    return [*command, *_options(command[0], harmless, begin, subtitles), url]


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Return when the player has ended: 0, or 130 where it was interrupted.  Raises HtdlError where it
    cannot be run, or failed.
    """
    interrupted = []
    # Ctrl-C reaches the player as well, and what it means is the player's affair
    before = signal.signal(signal.SIGINT, lambda *_: interrupted.append(True))
    try:
        with subprocess.Popen(arguments, env=_direct(environ)) as process:  # noqa: S603  the user's own choice
            signal.signal(signal.SIGTERM, lambda *_: process.terminate())  # it does not outlive the command
            code = process.wait()
    except OSError as exc:
        raise HtdlError(f"cannot run {arguments[0]!r}: {exc.strerror}", hint=_HINT, code="no_player") from exc
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupted:
        return _INTERRUPTED
    if code:
        how = f"ended with code {code}" if code > 0 else f"was ended by {signal.Signals(-code).name}"
        raise HtdlError(f"the player {arguments[0]!r} {how}", hint=_SEE_ABOVE, code=FAILED)
    return 0


def _direct(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment in which no proxy is asked for what is on this machine: it could not reach it."""
    spared = ",".join(filter(None, (environ.get("no_proxy"), "127.0.0.1")))
    return {**environ, "no_proxy": spared}


def _options(program: str, title: str, begin: float, subtitles: Sequence[str] = ()) -> list[str]:
    """What this player is told beside the URL; nothing where it is not known."""
    kind, at = Path(program).name, units.decimal(begin) if begin else ""
    if kind == "mpv":
        options = [("--force-media-title", title), ("--start", at), *(("--sub-file", x) for x in subtitles)]
    elif kind in {"vlc", "cvlc"}:
        # its --sub-file takes paths alone; a slave is any URL, and "#" stands between two
        slaves = "#".join(x for x in subtitles if "#" not in x)
        options = [("--meta-title", title), ("--start-time", at), ("--input-slave", slaves)]
    else:
        options = []
    return [f"{name}={value}" for name, value in options if value]
