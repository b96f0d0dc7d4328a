"""`htdl daemon`: run, start, stop, status, reload."""

from __future__ import annotations

import click

from htdl.cli import background, units
from htdl.cli.app import App
from htdl.cli.holder import holder
from htdl.cli.options import as_json, examples
from htdl.cli.output import json_text
from htdl.cli.words import printable
from htdl.errors import HtdlError, NoDaemon, TimedOut

STOP_SECONDS = 10.0


@click.group(
    "daemon", epilog=examples("htdl daemon start", "htdl daemon status", "htdl --config my.toml daemon run")
)
def command() -> None:
    """Run, start, stop and ask the daemon that does the downloading."""


@command.command("run", epilog=examples("htdl daemon run"))
@click.pass_obj
def run(app: App) -> int:
    """Run the daemon in the foreground, until Ctrl-C or SIGTERM."""
    from htdl.daemon import app as daemon  # the only place where the command line meets the daemon's code

    return daemon.main(app.config, app.socket, app.state_dir)


@command.command(
    "start", epilog=examples("htdl daemon start", "htdl --socket /run/user/1000/other.sock daemon start")
)
@click.pass_obj
def start(app: App) -> None:
    """Start the daemon in the background; it goes on when you log out of the terminal."""
    if background.answers(app):
        click.echo("the daemon runs already")
    elif _machines_answers(app):
        click.echo(f"the machine's daemon answers, on {app.client.socket}")
        click.echo("  start one of your own with: htdl --socket PATH daemon start")
    else:
        background.start(app)


@command.command("stop", epilog=examples("htdl daemon stop"))
@click.pass_obj
def stop(app: App) -> None:
    """Stop the daemon; downloads go on when it starts again."""
    from htdl.client import Client

    try:
        Client(app.socket).shutdown()
    except NoDaemon as exc:
        if _machines_answers(app):
            raise NoDaemon(
                "no daemon of yours runs", hint="the machine's is ended with: systemctl stop htdl"
            ) from exc
        other = holder(app)  # one that is on its way out still holds its lock
        if not other or other.is_elsewhere(app):
            there = f" on {app.socket}, but one does on another socket" if other else ""
            raise NoDaemon(f"no daemon runs{there}", hint=other.hint if other else None) from exc
    if not background.await_end(app, STOP_SECONDS):
        raise TimedOut(f"the daemon has not ended {STOP_SECONDS:.0f} s after it was told to")
    if app.socket.exists():  # a daemon takes its own away: this is systemd's
        click.echo("stopped the daemon; systemd starts it again for whoever asks it something")
        click.echo("  end that too with: systemctl --user stop htdl.socket")
    else:
        click.echo("stopped the daemon")


def _machines_answers(app: App) -> bool:
    """Whether what answers is the machine's daemon, and not this user's own."""
    try:
        app.client.health()
    except HtdlError:
        return False
    return app.client.socket != app.socket


@command.command("status", epilog=examples("htdl daemon status", "htdl daemon status --json | jq .checks"))
@as_json
@click.pass_obj
def status(app: App, as_json: bool) -> None:
    """Say whether a daemon answers, and how it is.  Exits 3 when none does."""
    from dataclasses import asdict

    health, uptime = app.client.health(), app.client.stats().uptime_seconds
    if as_json:
        click.echo(json_text({**asdict(health), "uptime_seconds": uptime}))
        return
    click.echo(f"running: version {printable(health.version)}, pid {health.pid}, up {units.duration(uptime)}")
    for name, said in health.checks.items():
        detail = f", {health.details[name]}" if name in health.details else ""
        click.echo(f"  {printable(name)}: {printable(said)}{printable(detail)}")


@command.command("reload", epilog=examples("htdl daemon reload"))
@as_json
@click.pass_obj
def reload(app: App, as_json: bool) -> None:
    """Read the configuration again."""
    told = app.call("POST", "/reload")
    if as_json:
        click.echo(json_text(told))
        return
    changed = ", ".join(told["changed"])  # nothing of a file that it has seen change, and read by itself
    click.echo(f"changed: {changed}" if changed else "nothing has changed since it was last read")
    if told["needs_restart"]:
        click.echo(f"only after a restart: {', '.join(told['needs_restart'])}")


@command.command("log-level", epilog=examples("htdl daemon log-level", "htdl daemon log-level debug"))
@click.argument("level", required=False, type=click.Choice(["debug", "info", "warning", "error"]))
@as_json
@click.pass_obj
def log_level(app: App, level: str | None, as_json: bool) -> None:
    """Say how much the daemon logs, or set it: until the daemon ends, or the configuration names another."""
    told = app.client.log_level(level)
    click.echo(json_text({"level": told}) if as_json else printable(told))
