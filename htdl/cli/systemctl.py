"""Asking systemd, through its own command."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from htdl.errors import HtdlError

SECONDS = 60.0
SERVICE, SOCKET = "htdl.service", "htdl.socket"
_ANSWERING = {"initializing", "starting", "running", "degraded", "maintenance", "stopping"}
_SHOWN = ("Id", "LoadState", "ActiveState", "UnitFileState", "MainPID", "StatusText")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What systemd says of a unit, in its own words; `pid` is 0 where nothing runs."""

    is_known: bool
    active: str  # active, inactive, activating, failed …
    enabled: str  # enabled, disabled, static …
    pid: int
    says: str


@dataclass(frozen=True, slots=True)
class Systemd:
    """The machine's, or with `of_user` the one of this user."""

    of_user: bool
    environ: Mapping[str, str]

    def answers(self) -> bool:
        """Whether there is one that runs; in most containers there is none."""
        try:
            return self._run("is-system-running").stdout.strip() in _ANSWERING
        except HtdlError:
            return False

    def do(self, *words: str) -> None:
        """Raises HtdlError with what systemd says against it."""
        done = self._run(*words)
        if done.returncode:
            raise HtdlError(
                f"`{self.spelled(*words)}` ended with code {done.returncode}: {done.stderr.strip()}",
                hint=f"its log: {self._flagged('journalctl')} -u htdl -n 20",
            )

    def units(self) -> dict[str, Unit]:
        """Both units by name."""
        told = self._run("show", f"--property={','.join(_SHOWN)}", SERVICE, SOCKET).stdout
        return parse(told)

    def spelled(self, *words: str) -> str:
        return " ".join((self._flagged("systemctl"), *words))

    def _flagged(self, program: str) -> str:
        return f"{program} --user" if self.of_user else program

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return call(*self.spelled(*words).split(), environ=self.environ)


def call(*command: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command of systemd's.  Raises HtdlError where it is missing or hangs."""
    plain = {**environ, "SYSTEMD_PAGER": "", "LC_ALL": "C.UTF-8"}
    try:
        return subprocess.run(  # noqa: S603  no shell, and no word of a stranger
            command,
            env=plain,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except OSError as exc:
        raise HtdlError(f"cannot run {command[0]}: {os.strerror(exc.errno or 0)}") from exc
    except subprocess.TimeoutExpired as exc:
        raise HtdlError(f"`{' '.join(command)}` has not ended within {SECONDS:.0f} s") from exc


def parse(told: str) -> dict[str, Unit]:
    """The answer of `systemctl show`: NAME=VALUE lines, an empty line between units."""
    found: dict[str, Unit] = {}
    for block in told.split("\n\n"):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if "Id" in fields:
            found[fields["Id"]] = Unit(
                is_known=fields.get("LoadState") not in {None, "not-found"},
                active=fields.get("ActiveState", ""),
                enabled=fields.get("UnitFileState", "") or "disabled",
                pid=int(fields.get("MainPID") or 0),
                says=fields.get("StatusText", ""),
            )
    return found
