"""The watch page in a browser."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Mapping

import click

from htdl.cli import units


def address(url: str, begin: float) -> str:
    """The page, from `begin` seconds on (a media fragment, as in W3C Media Fragments 4.2.1)."""
    return f"{url}{'&' if '#' in url else '#'}t={units.decimal(begin)}" if begin else url


def show(url: str, environ: Mapping[str, str]) -> bool:
    """Print the address, and open it where there is a screen to open it on; whether that was done."""
    click.echo(url)
    # without a screen Python would take a browser for text terminals, and wait for its end
    screens = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    has_screen = sys.platform == "darwin" or any(environ.get(x) for x in screens)
    return has_screen and webbrowser.open(url)
