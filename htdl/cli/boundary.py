"""The one place where errors become words on standard error and an exit code."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from htdl import paths
from htdl.cli.words import printable
from htdl.errors import DiskFull, HtdlError

INTERRUPTED = 130  # 128 + SIGINT, as a shell has it
PIPE_CLOSED = 141  # 128 + SIGPIPE, what a shell sees of any program whose reader has gone

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


def run(command: click.Command, argv: Sequence[str]) -> int:
    """Invoke the command and return the exit code, with all output flushed."""
    try:
        code = _told(command, argv)
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # as with `>&-`
                stream.flush()  # a closed pipe shows here at the latest
    except BrokenPipeError:
        forget_output()
        return PIPE_CLOSED
    return code


def _told(command: click.Command, argv: Sequence[str]) -> int:
    """The exit code, with any error told but that of a closed pipe."""
    as_json = "--json" in argv  # not from click: the command line itself may be what is wrong
    try:
        result = command.main(list(argv), prog_name="htdl", standalone_mode=False)
    except BrokenPipeError:
        raise
    except (KeyboardInterrupt, click.Abort):  # click turns an interrupt into Abort
        return INTERRUPTED
    except click.UsageError as exc:
        _usage(exc, as_json)
        return exc.exit_code
    except click.ClickException as exc:
        tell(HtdlError(exc.format_message()), as_json)
        return exc.exit_code
    except HtdlError as exc:
        tell(exc, as_json)
        return exc.exit_code
    except Exception as exc:  # noqa: BLE001  a bug, of any kind: it is kept for the report, never hidden
        error = _unwritable() if _is_of_output(exc) else _bug(exc, argv)
        tell(error, as_json)
        return error.exit_code
    return result if isinstance(result, int) else 0


def tell(error: HtdlError, as_json: bool) -> None:
    """`htdl: what happened`, and below it what to do next; or the daemon's JSON error object."""
    if as_json:
        from htdl.cli.output import json_line

        inner = {"code": error.code, "message": error.message, "hint": error.hint}
        click.echo(json_line({"error": inner}), err=True)
        return
    click.echo("\n".join(printable(line) for line in f"htdl: {error.message}".splitlines()), err=True)
    if error.hint:
        click.echo(f"  {printable(error.hint)}", err=True)


def warn(message: str, as_json: bool) -> None:
    """What does not stop the command: on standard error, as a line or as {"warning": ...}."""
    if as_json:
        from htdl.cli.output import json_line

        click.echo(json_line({"warning": {"message": message}}), err=True)
    else:
        click.echo(f"htdl: {printable(message)}", err=True)


def _usage(error: click.UsageError, as_json: bool) -> None:
    if as_json:
        tell(HtdlError(error.format_message(), code="usage"), as_json)
        return
    said = io.StringIO()  # click repeats what was given, as it is
    error.show(said)
    lines = said.getvalue().expandtabs(4).split("\n")  # it lists choices with tabs
    click.echo("\n".join(map(printable, lines)), err=True, nl=False)


def _is_of_output(error: Exception) -> bool:
    """Whether it is of a full disk, and of no file that htdl has opened itself."""
    return isinstance(error, OSError) and error.errno in _NO_ROOM and error.filename is None


def _unwritable() -> HtdlError:
    forget_output()
    return DiskFull(
        "what is printed cannot be written: no room is left", hint="free some, or write it elsewhere"
    )


def _bug(error: Exception, argv: Sequence[str]) -> HtdlError:
    import traceback

    from htdl import __version__

    trace = "".join(traceback.format_exception(error))
    text = f"htdl {__version__}, Python {sys.version}\n{_without_secrets(argv)}\n\n{trace}"
    said = f"{type(error).__name__}: {error}"
    try:
        path = _keep(paths.state_dir(os.environ), text)
    except OSError as exc:
        return HtdlError(f"this is a bug in htdl: {said}\n{text}", hint=f"and it could not be saved: {exc}")
    return HtdlError(f"this is a bug in htdl: {said}", hint=f"please report it with what is in {path}")


def _without_secrets(argv: Sequence[str]) -> str:
    """The verb and the options: a magnet or URL may hold a passkey."""
    return " ".join(["htdl", *(x if len(x) < 20 and "/" not in x else "…" for x in argv)])


def _keep(folder: Path, text: str) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"bug-{os.getpid()}.log"
    lines = (printable(line) for line in text.split("\n"))  # a person is going to look at it
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def forget_output() -> None:
    """Let what is still buffered go nowhere, or the interpreter complains of it when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
