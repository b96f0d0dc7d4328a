"""`htdl completion`: a shell's completions, and what they ask while a command is typed."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from htdl.cli.options import examples
from htdl.errors import HtdlError

# Where each shell looks below a prefix such as /usr/local; pyproject.toml installs them there.
PLACES = {
    "bash": "share/bash-completion/completions/htdl",
    "zsh": "share/zsh/site-functions/_htdl",
    "fish": "share/fish/vendor_completions.d/htdl.fish",
}
_END = "\x1f"  # no word holds it
FILES = {"bash": "htdl.bash", "zsh": "_htdl", "fish": "htdl.fish"}


@click.command(
    "completion",
    epilog=examples(
        'eval "$(htdl completion bash)"',
        "htdl completion zsh > ~/.zfunc/_htdl",
        "htdl completion fish > ~/.config/fish/completions/htdl.fish",
    ),
)
@click.argument("shell", type=click.Choice(list(PLACES)))
@click.argument("typed", nargs=-1, metavar="[WORD]...", type=click.UNPROCESSED)
@click.pass_context
def command(ctx: click.Context, shell: str, typed: tuple[str, ...]) -> None:
    """Print what makes SHELL complete htdl's verbs, options, downloads and files.

    An installed package has put it where each shell looks; this is for those that look elsewhere.  WORDs
    are for what it prints, which asks with them what may stand in place of the last one.
    """
    if not typed:
        click.echo(script(shell), nl=False)
        return
    group = ctx.find_root().command
    assert isinstance(group, click.Group)
    for line in answer(group, shell, typed):
        click.echo(line)


def script(shell: str) -> str:
    """The one file of this shell: as it was installed, else of the source tree that this runs from."""
    import importlib.metadata as metadata

    tree = Path(__file__).parents[2] / "completions" / FILES[shell]
    try:
        installed = [
            Path(str(x.locate())) for x in metadata.files("htdl") or () if x.match(f"*/{PLACES[shell]}")
        ]
    except metadata.PackageNotFoundError:
        installed = []
    for path in (*installed, tree):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise HtdlError(
        f"the completions of {shell} were not installed", hint="install htdl again", code="no_file"
    )


def answer(group: click.Group, shell: str, typed: Sequence[str]) -> list[str]:
    """A line that says which files may stand there, and a line for each word: itself, a tab, what it is.

    bash gives the whole line, and of its last word what it is going to replace: it splits at a colon too, and
    wants but the rest.  zsh gives words, fish words with the last one as it was typed.
    """
    from htdl.cli import complete

    before, word = split(typed[0]) if shell == "bash" else (list(typed[:-1]), typed[-1])
    if shell == "fish":
        word = split(word)[1]
    found = complete.reply(group, before[1:], word)
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    lead = option + equals if shell == "fish" and equals else ""
    kept = _kept(value, typed[0], typed[-1]) if shell == "bash" and len(typed) > 1 else ""
    cut = [(text.removeprefix(kept), says) for text, says in found.words if text.startswith(kept)]
    return [found.files, *(f"{lead}{text}\t{says}" for text, says in cut)]


def split(line: str) -> tuple[list[str], str]:
    """The words of a line as a shell reads it, and the last one, which may be empty or within a quotation."""
    for end in ("", "'", '"'):
        try:
            *before, last = shlex.split(f"{line}{_END}{end}")
        except ValueError:  # a quotation is open
            continue
        return before, last.removesuffix(_END)
    return [], ""


def _kept(word: str, line: str, replaced: str) -> str:
    """The beginning of this word, the last one of the line, that bash keeps: it replaces only the rest, but
    within a quotation all of it.
    """
    rest = split(replaced)[1]
    return word.removesuffix(rest) if word.endswith(rest) and not _is_quoted(line) else ""


def _is_quoted(line: str) -> bool:
    """Whether it ends within a quotation."""
    try:
        shlex.split(line + _END)
    except ValueError:
        return True
    return False
