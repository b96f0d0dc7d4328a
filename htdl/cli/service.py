"""`htdl service`: install, uninstall, status."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click

from htdl import paths
from htdl.cli import atomic, boundary, installation, systemctl, unit_files
from htdl.cli.app import App
from htdl.cli.installation import WITHOUT
from htdl.cli.options import as_json, examples
from htdl.cli.output import json_text
from htdl.cli.systemctl import SERVICE, SOCKET, Systemd
from htdl.cli.unit_files import UnitFile, Wanted
from htdl.cli.words import printable
from htdl.errors import HtdlError, Refused

F = TypeVar("F", bound=Callable[..., Any])


def _scope(function: F) -> F:
    """--user or --system; neither is the machine's for root, else the user's."""
    root = click.option(
        "--root", type=click.Path(path_type=Path), default=Path("/"), metavar="DIR", help="Below this folder."
    )
    system = click.option(
        "--system", "scope", flag_value="system", help="The machine's, for a group of users."
    )
    user = click.option("--user", "scope", flag_value="user", help="Yours alone.")
    return user(system(root(as_json(function))))


def _of_user(scope: str | None) -> bool:
    return scope == "user" or (scope is None and os.geteuid() != 0)


@click.group(
    "service",
    epilog=examples("htdl service install", "sudo htdl service install --system", "htdl service status"),
)
def command() -> None:
    """Have systemd run the daemon: started with the machine or when it is asked, and looked after."""


@command.command(
    "install",
    epilog=examples(
        "htdl service install", "sudo htdl service install --system", "htdl service install --dry-run"
    ),
)
@_scope
@click.option("--no-enable", is_flag=True, help="Write the files only.")
@click.option("--dry-run", is_flag=True, help="Print the files, and write none.")
@click.option("--force", is_flag=True, help="Replace files that were changed, too.")
@click.pass_obj
def install(
    app: App,
    /,
    scope: str | None,
    root: Path,
    as_json: bool,
    no_enable: bool,
    dry_run: bool,
    force: bool,
) -> None:
    """Write the units of systemd, and start the daemon by them.

    Without --user or --system it is yours alone, and for root the machine's.
    """
    of_user, in_root = _of_user(scope), root != Path("/")
    systemd = Systemd(of_user, app.environ)
    files = installation.files(app, root.absolute(), of_user=of_user, as_json=as_json)
    if dry_run:
        _print_files(files, as_json)
        return
    if not in_root:
        installation.check(app, systemd)
    if not force and (others := unit_files.changed(files)):
        raise Refused(
            f"not written by this command, or changed since: {', '.join(map(str, others))}",
            hint="put changes of your own into a drop-in (systemctl edit htdl); --force replaces the files",
        )
    wrote = [(file.path, _write(file)) for file in files]
    if not as_json:
        click.echo("\n".join(f"{what} {printable(path)}" for path, what in wrote))
    starts = not (in_root or no_enable)
    if starts:
        _enable(systemd, [file.path for file in files])
    if as_json:
        told = [{"path": str(path), "what": what} for path, what in wrote]
        click.echo(json_text({"files": told, "enabled": starts}))
    else:
        click.echo("\n".join(_next(unit_files.group_of(files), starts, systemd)))


def _write(file: UnitFile) -> str:
    """Put the file in its place, and say what was done."""
    if not file.path.exists():
        atomic.write(file.path, file.text)
        return "wrote"
    if unit_files.read(file.path) == file.text:
        return "unchanged:"
    atomic.write(file.path, file.text)
    return "replaced"


def _enable(systemd: Systemd, files: list[Path]) -> None:
    if not systemd.of_user:
        _make_user(systemd, files)
    systemd.do("daemon-reload")
    systemd.do("enable", SERVICE, SOCKET)
    systemd.do("restart", SOCKET, SERVICE)


def _make_user(systemd: Systemd, files: list[Path]) -> None:
    """The user, the group and the socket's folder, as the files say that were just written."""
    for program, folder in (
        (("systemd-sysusers",), "sysusers.d"),
        (("systemd-tmpfiles", "--create"), "tmpfiles.d"),
    ):
        (path,) = (x for x in files if x.parent.name == folder)
        done = systemctl.call(*program, str(path), environ=systemd.environ)
        if done.returncode:
            raise HtdlError(f"`{' '.join(program)} {path}` failed: {done.stderr.strip()}")


def _next(group: str, started: bool, systemd: Systemd) -> list[str]:
    if not started:
        make = [] if systemd.of_user else ["systemd-sysusers", "systemd-tmpfiles --create"]
        do = [*make, systemd.spelled("daemon-reload"), systemd.spelled("enable", "--now", SERVICE, SOCKET)]
        return [f"nothing is started; do that with: {' && '.join(do)}"]
    if systemd.of_user:
        return [
            "started; `htdl service status` shows it",
            "it ends when you log out, unless you allow it to stay: loginctl enable-linger",
        ]
    return [
        f"started; it answers on {paths.SYSTEM_SOCKET}, `htdl service status` shows it",
        f"let somebody use it with: usermod --append --groups {group} NAME",
    ]


def _print_files(files: list[UnitFile], as_json: bool) -> None:
    if as_json:
        click.echo(json_text([{"path": str(x.path), "text": x.text} for x in files]))
        return
    click.echo("\n".join(f"==> {printable(x.path)} <==\n{x.text}" for x in files), nl=False)


@command.command(
    "uninstall", epilog=examples("htdl service uninstall", "sudo htdl service uninstall --system")
)
@_scope
@click.pass_obj
def uninstall(app: App, /, scope: str | None, root: Path, as_json: bool) -> int:
    """Stop the service, and remove what `install` wrote.  Downloads, settings and the daemon's state stay.

    A file that was changed since is left, and named; then it exits 1.
    """
    systemd = Systemd(_of_user(scope), app.environ)
    files = [x for x in _places(app, systemd.of_user, root.absolute()) if x.exists()]
    ours = [x for x in files if unit_files.is_ours(unit_files.read(x))]
    answers = root == Path("/") and systemd.answers()
    try:
        if answers and any(x.name == SERVICE for x in ours):
            systemd.do("disable", "--now", SERVICE, SOCKET)
        for path in ours:
            path.unlink()
    except OSError as exc:
        raise Refused(f"cannot remove {exc.filename}: {exc.strerror}", hint="try it with sudo") from exc
    if answers and ours:
        systemd.do("daemon-reload")
    left = [x for x in files if x not in ours]
    if as_json:
        click.echo(json_text({"removed": [str(x) for x in ours], "left": [str(x) for x in left]}))
        return int(bool(left))
    for path in ours:
        click.echo(f"removed {printable(path)}")
    for path in left:
        boundary.warn(
            f"left {path}: it was not written by `htdl service install`, or was changed since", False
        )
    if not files:
        click.echo("nothing is installed")
    elif not systemd.of_user:
        click.echo("the user htdl stays, and so does what is its: /var/lib/htdl, /var/cache/htdl, /etc/htdl")
    return int(bool(left))


def _places(app: App, of_user: bool, root: Path) -> list[Path]:
    wanted = Wanted(command=("htdl",))
    files = unit_files.user(wanted, root, app.environ) if of_user else unit_files.system(wanted, root)
    return [x.path for x in files]


@command.command("status", epilog=examples("htdl service status", "htdl service status --system --json"))
@_scope
@click.pass_obj
def status(app: App, /, scope: str | None, root: Path, as_json: bool) -> int:
    """Say whether the service is installed, enabled and running.  Exits 3 when it is not."""
    systemd = Systemd(_of_user(scope), app.environ)
    files = [x for x in _places(app, systemd.of_user, root.absolute()) if x.exists()]
    changed = [x for x in files if not unit_files.is_ours(unit_files.read(x))]
    answers = root == Path("/") and systemd.answers()
    units = systemd.units() if answers else {}
    if as_json:
        told = {
            "scope": "user" if systemd.of_user else "system",
            "files": [str(x) for x in files],
            "changed": [str(x) for x in changed],
            "systemd": answers,
            "units": {name: asdict(unit) for name, unit in units.items()},
        }
        click.echo(json_text(told))
    else:
        click.echo("\n".join(_words(systemd, files, changed, units, answers)))
    return 0 if any(x.active == "active" for x in units.values()) else 3


def _words(
    systemd: Systemd, files: list[Path], changed: list[Path], units: dict[str, systemctl.Unit], answers: bool
) -> list[str]:
    whose = "yours" if systemd.of_user else "the machine's"
    lines = [f"installed ({whose}):" if files else f"not installed ({whose}): htdl service install"]
    lines += [f"  {printable(x)}{', changed since' if x in changed else ''}" for x in files]
    if not answers:
        return [*lines, f"systemd does not answer: {WITHOUT}"]
    for name, unit in units.items():
        if unit.is_known:
            pid = f", pid {unit.pid}" if unit.pid else ""
            says = f": {printable(unit.says)}" if unit.says else ""
            lines.append(f"{name}: {printable(unit.enabled)}, {printable(unit.active)}{pid}{says}")
    return lines
