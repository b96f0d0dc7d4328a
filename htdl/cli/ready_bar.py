"""What `htdl play` shows while it waits, as rich text: a pure function of a look and the width."""

from __future__ import annotations

from rich.text import Text

from htdl.cli import units, verdict, words
from htdl.cli.bars import FAINT, bar
from htdl.cli.until_ready import Look

BAR_WIDTH = 40
_MARGIN = len("^C")  # a terminal writes it at the end of the last line, and must not begin another one


def picture(look: Look, width: int) -> Text:
    """The name, how near it is and what flows, and what it waits for; each line fits `width` cells,
    and leaves room for a Ctrl-C.

    What is not known is not drawn: there is no empty bar, and no speed of a daemon that is gone.
    """
    lines = [Text(words.name(look.job), style="bold"), Text(look.reason, style=FAINT)]
    if not look.is_gone:
        lines.insert(1, _nearness(look, width))
    for line in lines:
        line.truncate(max(1, width - _MARGIN), overflow="ellipsis")
    return Text("\n").join(lines)


def _nearness(look: Look, width: int) -> Text:
    if not look.nearness:
        return Text(f"{words.state(look.job)} · {_flow(look)}")
    return Text.assemble(bar(look.nearness, min(BAR_WIDTH, width), "green"), "  ", _flow(look))


def _flow(look: Look) -> str:
    """What is buffered, and what comes from how many peers."""
    job, stream = look.job, look.stream
    peers = f"{job['peers']} peer{'' if job['peers'] == 1 else 's'}"
    parts = (
        verdict.buffered(stream["readiness"]) if stream else "",
        units.speed(job["download_speed"]) if job["download_speed"] else "",
        peers,
    )
    return " · ".join(filter(None, parts))
