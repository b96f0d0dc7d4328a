"""`htdl demo`: the main job before one's eyes, on this machine alone."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from htdl.cli import background, clip, units, watch
from htdl.cli.app import App
from htdl.cli.options import examples
from htdl.cli.output import is_terminal
from htdl.errors import HtdlError, NoDaemon

CLIP_SECONDS = 12.0
STOP_SECONDS = 10.0
BYTES_A_SECOND = 9 << 20  # slow enough to be seen

_CONFIG = """\
[storage]
base_path = '{home}/videos'
temp_path = '{home}/temp'
subtitle_path = '{home}/subtitles'
min_free = 0
[torrent]
download_path = '{home}/downloads'
listen_interface = "127.0.0.1"
port_range_start = 46881
port_range_end = 46981
allow_lan = true
dht_enabled = false
lsd_enabled = false
upnp_enabled = false
[stream]
port = 0
"""


@click.command("demo", epilog=examples("htdl demo", "htdl demo --keep"))
@click.option("--keep", is_flag=True, help="Leave the video and all else in the temp folder.")
@click.pass_obj
def command(app: App, keep: bool) -> int:
    """Make a short video, seed it, and download it with a daemon of its own.

    Nothing leaves this machine, no other daemon is touched, and the temp folder is removed at the end.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):  # a closed terminal, too, must leave nothing behind
        signal.signal(number, signal.default_int_handler)
    home = Path(tempfile.mkdtemp(prefix="htdl-demo-"))
    try:
        return _show(_private(app, home), home, keep)
    finally:
        if keep:
            click.echo(f"kept: {home}")
        else:
            shutil.rmtree(home, ignore_errors=True)


def _private(app: App, home: Path) -> App:
    """An app whose daemon lives in `home`, and hears nothing of this user's settings."""
    environ = {key: value for key, value in app.environ.items() if not key.startswith("HTDL_")}
    environ["HTDL_STATE_DIR"] = str(home / "state")
    config = home / "config" / "config.toml"
    config.parent.mkdir()
    config.write_text(_CONFIG.format(home=home))
    return App(environ, config=config, socket=home / "run" / "htdl.sock")


def _show(app: App, home: Path, keep: bool) -> int:
    source = home / "seed" / "htdl demo.avi"
    source.parent.mkdir()
    step(f"making a video of {CLIP_SECONDS:.0f} s")
    size = clip.write(source, CLIP_SECONDS)
    with _seeding(source) as magnet:
        step(f"seeding its {units.size(size)} from a process of its own")
        with _daemon(app):
            step(f"htdl add '{magnet[:60]}…' --watch")
            job = app.call("POST", "/jobs", {"source": magnet})
            code = watch.follow(app, [job["id"]], as_json=False)
            return code or _verify(app.job(job["id"]), source, keep)


@contextmanager
def _seeding(source: Path) -> Iterator[str]:
    """The magnet of a seeder that ends with the block."""
    seeder = subprocess.Popen(  # noqa: S603  our own interpreter and module
        [sys.executable, "-P", "-m", "htdl.torrent.seeder", os.fspath(source), str(BYTES_A_SECOND)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert seeder.stdin
    assert seeder.stdout
    try:
        magnet = seeder.stdout.readline().strip()
        if not magnet:
            raise HtdlError("the demo's seeder did not start", hint="what it printed above says why")
        yield magnet
    finally:
        seeder.stdin.close()
        seeder.wait()
        seeder.stdout.close()


@contextmanager
def _daemon(app: App) -> Iterator[None]:
    background.start(app)
    try:
        yield
    finally:
        try:
            app.client.shutdown()
        except NoDaemon:
            pass  # it ended before us, as when Ctrl-C reached it too
        else:
            background.await_end(app, STOP_SECONDS)


def _verify(job: dict[str, Any], source: Path, keep: bool) -> int:
    result = Path(job["save_path"], job["files"][0]["path"])
    if _sha256(result) != _sha256(source):
        raise HtdlError(f"{result} differs from what was seeded", hint="this is a bug; please report it")
    removed = "" if keep else "  (removed now; keep it with --keep)"
    step(f"verified, byte for byte: {result}{removed}")
    if made := job["files"][0]["output"]:
        step(f"converted, for every browser: {made}{removed}")
    click.echo("\nNow the real thing:  htdl add 'magnet:?xt=urn:btih:…' --watch")
    return 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def step(text: str) -> None:
    """One line that says what is done now."""
    mark = "==> "
    if is_terminal():
        mark = click.style(mark, fg=None if os.environ.get("NO_COLOR") else "cyan", bold=True)
    click.echo(mark + text)
