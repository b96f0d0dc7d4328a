"""The parts of the manual that are told by the program itself; `python -m tests.manual` writes them anew.

In man/htdl.1 that is all that stands between the two marks: each verb as its --help has it.  In
man/htdl.toml.5 it is the line below each key, with its type, its bounds and its default.  Around them the
pages are written by hand, and `tests/cli/test_manual.py` holds both against the program.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import click
import msgspec

from htdl import config
from htdl.cli.main import VERBS, command

MAN = Path(__file__).parents[1] / "man"
BEGIN = '.\\" Written by `python -m tests.manual`, of what --help says, down to the next such mark.\n'
END = '.\\" So far.\n'


def verbs() -> str:
    """Every verb in the order of `htdl --help`, in mdoc(7)."""
    context = click.Context(command, info_name="htdl")
    lines = []
    for title, names in VERBS.items():
        lines += [f".Ss {title}", ".Bl -tag -width 4n"]
        for name in names:
            verb = command.get_command(context, name)
            assert verb
            lines += _verb(verb, click.Context(verb, parent=context, info_name=name))
        lines.append(".El")
    return "\n".join(lines) + "\n"


def _verb(verb: click.Command, context: click.Context) -> Iterator[str]:
    path = context.command_path.split()[1:]
    yield f".It Cm {' '.join(path)}{_arguments(verb, context)}"
    yield from _prose(verb.help or "")
    options = [x for x in verb.params if isinstance(x, click.Option)]
    if options:
        yield from (".Pp", ".Bl -tag -width 4n -compact")
        for option in options:
            yield from _option(option, context)
        yield ".El"
    if isinstance(verb, click.Group):
        yield ".Bl -tag -width 4n"
        for name, below in verb.commands.items():
            yield from _verb(below, click.Context(below, parent=context, info_name=name))
        yield ".El"
    else:
        yield from _examples(verb)


def _arguments(verb: click.Command, context: click.Context) -> str:
    pieces = [x for x in verb.collect_usage_pieces(context) if x != "[OPTIONS]"]
    has_options = any(isinstance(x, click.Option) for x in verb.params)
    told = " Oo Ar option ... Oc" if has_options else ""
    if isinstance(verb, click.Group):
        return f"{told} Ar command ..."
    return told + "".join(f" Ar {plain(x)}" for x in pieces)


def _option(option: click.Option, context: click.Context) -> Iterator[str]:
    record = option.get_help_record(context)
    assert record, "a hidden option has no place in the manual"
    names, says = record
    words = names.replace(", ", " , ").split()
    yield ".It " + " ".join(
        f"Fl {plain(x[1:])}" if x.startswith("-") else x if x in ",/" else f"Ar {plain(x)}" for x in words
    )
    yield from _prose(says)


def _examples(verb: click.Command) -> Iterator[str]:
    yield ".Pp"
    yield ".Bd -literal -compact"
    for line in (verb.epilog or "").splitlines():
        if line.startswith("  "):
            yield f"$ {plain(line.strip())}"
    yield ".Ed"


def _prose(text: str) -> Iterator[str]:
    """Paragraphs, a line a sentence."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip())):
        if number:
            yield ".Pp"
        yield from (plain(x) for x in re.split(r"(?<=[.:?])\s+(?=[A-Z\[-])", " ".join(paragraph.split())))


def plain(text: str) -> str:
    """Text in which roff sees nothing of its own."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    text = re.sub("`([^`]*)`", r"\\(oq\1\\(cq", text)
    return f"\\&{text}" if text.startswith((".", "'")) else text


def key_line(section: str, key: str) -> str:
    """`Integer from 2 to 100000.  Default: 200.` of a key of the configuration, in mdoc(7)."""
    kind = config.SECTIONS[section]
    hint = get_type_hints(kind, include_extras=True)[key]
    told = _CHOICES.get(f"{section}.{key}") or _kind(hint)
    default = {x.name: x.default for x in msgspec.structs.fields(kind)}[key]
    shown = _FOLDERS.get(f"{section}.{key}") if default is msgspec.NODEFAULT else f".Li {_toml(default)}"
    restart = "Needs a restart.\n" if f"{section}.{key}" in config.NEEDS_RESTART else ""
    return f"{told}; default\n{shown} .\n{restart}.br"


_CHOICES = {key: "One of " + ", ".join(plain(x) for x in words) for key, words in config._CHOICES.items()}
_FOLDERS = {
    "storage.base_path": ".Pa $XDG_DATA_HOME/htdl/videos",
    "storage.temp_path": ".Pa $XDG_CACHE_HOME/htdl/temp",
    "storage.subtitle_path": ".Pa $XDG_DATA_HOME/htdl/subtitles",
    "torrent.download_path": ".Pa $XDG_DATA_HOME/htdl/downloads",
}
_WORDS: dict[Any, str] = {
    bool: "True or false",
    int: "Integer",
    float: "Number",
    str: "Text",
    Path: "Path",
    config.Size: "Size",
    tuple[Path, ...]: "List of paths",
    tuple[str, ...]: "List of texts",
}


def _kind(hint: Any) -> str:
    """A type in words, with its bounds."""
    if get_origin(hint) is None or hint in _WORDS:
        return _WORDS[hint]
    kind, meta = get_args(hint)
    low = f"above {meta.gt}" if meta.gt is not None else f"from {meta.ge}"
    return plain(f"{_WORDS[kind]} {low} to {meta.le}")


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, config.Size):
        value = f"{value >> 30}GiB" if value else "0"
    if isinstance(value, str):
        return f"\\(dq{value}\\(dq"
    return "[]" if value == () else plain(str(value))


def with_verbs(page: str) -> str:
    """The page with what stands between the marks written anew."""
    before, rest = page.split(BEGIN)
    return before + BEGIN + verbs() + END + rest.split(END)[1]


def with_keys(page: str) -> str:
    """The page with the line below each key written anew."""
    section = ""
    lines = []
    for block in re.split(r"^(?=\.It Cm |\.Ss )", page, flags=re.MULTILINE):
        if heading := re.match(r"\.Ss \[(\w+)\]", block):
            section = heading[1]
        if section and (key := re.match(r"\.It Cm (\w+)\n", block)):
            told = re.sub(r"\A.*?\n(?:.*; default\n.* \.\n(?:Needs a restart\.\n)?\.br\n)?", "", block)
            block = f"{key[0]}{key_line(section, key[1])}\n{told}"
        lines.append(block)
    return "".join(lines)


def main() -> None:
    for name, anew in (("htdl.1", with_verbs), ("htdl.toml.5", with_keys)):
        path = MAN / name
        old = path.read_text()
        new = anew(old)
        if new != old:
            path.write_text(new)
            sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
