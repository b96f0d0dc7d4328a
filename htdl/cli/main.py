"""The command `htdl`: a group that imports a verb only when it is used.

The table of verbs holds their short help, so that `htdl --help` imports none of them.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from htdl import __version__
from htdl.cli import boundary
from htdl.cli.app import App

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

VERBS = {
    "Downloads": {
        "add": "Download a magnet, an info-hash, a .torrent or a URL.",
        "convert": "Make videos that every browser plays, of files or downloads.",
        "cancel": "Stop downloads for good.",
        "pause": "Let downloads stand still.",
        "resume": "Let paused downloads go on.",
        "retry": "Begin failed or cancelled downloads again; verify complete ones.",
        "remove": "Forget downloads that have ended.",
        "priority": "Say which downloads go first.",
        "limit": "Limit speeds, of all downloads or of some; say what holds.",
        "pin": "Keep videos that nobody watches.",
        "unpin": "Keep videos no longer than any other.",
    },
    "Looking": {
        "status": "List downloads.",
        "show": "Show all that is known of one download.",
        "watch": "Follow downloads as they move.",
        "wait": "Return when downloads are ready or done.",
        "stats": "Sum up all downloads.",
        "events": "Print what happens, as it happens.",
    },
    "Watching": {
        "play": "Watch a download as soon as it can be, or a new one.",
        "url": "Print where a download can be watched.",
    },
    "The daemon": {
        "daemon": "Run, start, stop and ask the daemon.",
        "service": "Have systemd run the daemon.",
        "config": "Show, check and edit the configuration.",
        "doctor": "Look at all that may be wrong, and say what to do.",
        "demo": "Try htdl without the internet.",
        "completion": "Print what completes htdl's verbs in a shell.",
    },
}
_NAMES = {name: help_ for verbs in VERBS.values() for name, help_ in verbs.items()}


class Verbs(click.Group):
    """Verbs by name; each is `htdl.cli.<name>.command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _NAMES:
            return None
        command: click.Command = importlib.import_module(f"htdl.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in _NAMES and not args[0].startswith("-"):
            ctx.fail(f"no such command: {args[0]}{_did_you_mean(args[0])}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, verbs in VERBS.items():
            with formatter.section(title):
                formatter.write_dl(list(verbs.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        verbs = [CompletionItem(x, help=says) for x, says in _NAMES.items() if x.startswith(incomplete)]
        return verbs + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as exc:  # click itself would end with 1, as if something had failed
            boundary.forget_output()
            raise click.exceptions.Exit(boundary.PIPE_CLOSED) from exc


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--config", type=click.Path(path_type=Path), metavar="PATH", help="Another configuration file.")
@click.option("--socket", type=click.Path(path_type=Path), metavar="PATH", help="Another daemon's socket.")
@click.version_option(__version__, message="htdl %(version)s")
@click.pass_context
def command(ctx: click.Context, config: Path | None, socket: Path | None) -> None:
    """Download videos over BitTorrent, and watch them while they arrive.

    A daemon does the work; these commands talk to it.  A download is named by the first letters of its id, or
    by its --video-id.
    """
    ctx.obj = App(os.environ, config=config, socket=socket)


def main() -> NoReturn:
    """The entry point of `htdl` and `python -m htdl`; never returns."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a TextIOWrapper
    code = boundary.run(command, sys.argv[1:])
    # Taking the interpreter apart costs as much as all of htdl's own imports.  Output is flushed, and no verb
    # leaves anything to an exit handler.
    os._exit(code)


def _did_you_mean(word: str) -> str:
    import difflib

    near = difflib.get_close_matches(word, _NAMES, n=1)
    return f"; did you mean {near[0]}?" if near else ""
