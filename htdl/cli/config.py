"""`htdl config`: show, path, check, edit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from htdl.cli import background, editor
from htdl.cli.app import App
from htdl.cli.options import as_json, examples
from htdl.cli.output import json_text, path_text
from htdl.cli.words import printable
from htdl.errors import BadConfig, NoDaemon

_COLUMN = 50


@click.group("config", epilog=examples("htdl config show", "htdl config check", "htdl config edit"))
def command() -> None:
    """Show, check and edit the configuration."""


@command.command(
    "show",
    epilog=examples("htdl config show", "htdl config show --json | jq '.[\"torrent.download_path\"].value'"),
)
@as_json
@click.pass_obj
def show(app: App, as_json: bool) -> None:
    """Print the values in effect and where each comes from: the running daemon's, else those that a start
    would read.
    """
    try:
        told = app.call("GET", "/config/origins")
    except NoDaemon:
        told = _from_file(app)
    if as_json:
        click.echo(json_text(told["values"]))
    else:
        click.echo("\n".join([f"# {printable(told['file'])}", *_lines(told["values"])]))


@command.command("path", epilog=examples("htdl config path"))
@click.pass_obj
def path(app: App) -> None:
    """Print where the configuration file is, or would be."""
    click.echo(os.fsencode(path_text(str(app.config))))


@command.command("check", epilog=examples("htdl config check", "htdl --config new.toml config check"))
@click.pass_obj
def check(app: App) -> None:
    """Say OK, or name every fault of the file, with its line, and of HTDL_... variables.  Exits 2 when there
    is one.
    """
    from htdl import faults, origins

    strangers = origins.strangers(app.environ)
    try:
        _from_file(app)
    except BadConfig as exc:
        raise BadConfig("\n".join([exc.message, *(f"  {x}" for x in strangers)]), hint=exc.hint) from exc
    if strangers:
        raise faults.faulty(strangers, "the environment")
    click.echo(
        f"OK: {printable(app.config)}"
        + ("" if app.config.exists() else " does not exist; the defaults are used")
    )


@command.command("edit", epilog=examples("htdl config edit"))
@click.pass_obj
def edit(app: App) -> None:
    """Open the file in your editor (VISUAL or EDITOR), and check it afterwards."""
    file = app.config
    try:
        _ensure(file, app)
    except OSError as exc:
        raise BadConfig(f"cannot write {file}: {exc}") from exc
    editor.edit(file, app.environ)
    _from_file(app)
    running = background.answers(app)
    click.echo(f"OK: {printable(file)}" + ("; a running daemon takes it over by itself" if running else ""))


def _from_file(app: App) -> dict[str, Any]:
    """What a start would read, as `Client.config_origins` gives it.  Raises BadConfig."""
    from htdl import config, origins

    text = config.read(app.config, app.environ)
    values = config.flat(config.load(text, app.environ, origin=str(app.config)))
    return {"file": str(app.config), "values": origins.shown(values, origins.of(text, app.environ))}


def _lines(values: dict[str, Any]) -> list[str]:
    """`key = value  # where from`, with the last in a column where that fits."""
    written = _toml({key: one["value"] for key, one in values.items()})
    said = {key: printable(f"{key} = {text}") for key, text in written.items()}
    return [f"{said[key]:<{_COLUMN}}  # {_origin(one)}" for key, one in values.items()]


def _origin(one: dict[str, Any]) -> str:
    if one["source"] == "environment":
        return printable(one["variable"])
    return f"line {one['line']}" if one["source"] == "file" else printable(one["source"])


def _ensure(file: Path, app: App) -> None:
    """Where there is no file, write one that holds every key with its default, as comments."""
    if file.exists():
        return
    from htdl import config

    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_text(_template(config.flat(config.load("", {**app.environ}))), encoding="utf-8")


def _template(defaults: dict[str, Any]) -> str:
    lines = ["# The configuration of htdl.  What is commented out is the default."]
    section = ""
    for name, value in _toml(defaults).items():
        here, key = name.split(".", 1)
        if here != section:
            section = here
            lines += ["", f"[{section}]"]
        lines.append(f"# {key} = {value}")
    return "\n".join(lines) + "\n"


def _toml(values: dict[str, Any]) -> dict[str, str]:
    """Flat values as TOML; JSON's text is TOML's for numbers, booleans, text and lists of text."""
    import json

    from htdl.config import Size, sizes

    large = {key: Size(values[key]).written() for key in sizes() & values.keys() if values[key] >= 1024}
    return {key: json.dumps(value) for key, value in (values | large).items()}
