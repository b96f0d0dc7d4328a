"""What may stand at the end of a command line that is still being typed.

click knows verbs, options and choices, and `offers` what click cannot know.  It is asked at a press of a key:
whatever goes wrong, the answer is short.  No daemon is started, and none is waited for.

What is offered is text that a person types.  A name with a control character is no such text, and is left
out; no other needs care here, for each shell quotes what it inserts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import click
from click.shell_completion import CompletionItem, ShellComplete

from htdl.cli import offers
from htdl.cli.app import App
from htdl.cli.offers import Asked, Source

_KINDS = {"file": "files", "dir": "dirs", "torrent": "torrents"}
# By what the help calls them: SOURCE..., FILE|JOB...
_ARGUMENTS: dict[str, Source] = {
    "ID": offers.jobs,
    "JOB": offers.jobs,
    "SOURCE": offers.torrents,
    "FILE": offers.paths_here,
}
_OPTIONS: dict[str, Source] = {
    "--file": offers.files,
    "--output": offers.folders,
    "--before": offers.jobs,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """`words` are (what may stand there, what it is); `files` says which files may, too: "", "files", "dirs"
    or "torrents".
    """

    words: tuple[tuple[str, str], ...] = ()
    files: str = ""


def reply(group: click.Group, before: Sequence[str], word: str) -> Reply:
    """What may stand in place of `word`, which is unfinished, after the words `before` it."""
    context = click.Context(group)
    for name in before:
        verb = group.get_command(context, name)
        if verb is not None:
            _equip(verb, before)
    try:
        items = ShellComplete(group, {}, "htdl", "").get_completions([*before], word)
    except click.ClickException:  # the words before it make no sense
        return Reply()
    kinds = [_KINDS[item.type] for item in items if item.type in _KINDS]
    offered: dict[str, str] = {}
    for item in items:
        if item.type == "plain" and item.value.isprintable():
            offered.setdefault(item.value, item.help or "")
    return Reply(tuple(offered.items()), kinds[0] if kinds else "")


def source_of(parameter: click.Parameter) -> Source | None:
    """What offers the values of this argument or option, where click alone does not know them."""
    if isinstance(parameter, click.Option):
        return next((_OPTIONS[name] for name in parameter.opts if name in _OPTIONS), None)
    named = re.findall(r"\w+", parameter.metavar or "")
    sources = [_ARGUMENTS[word] for word in dict.fromkeys(named) if word in _ARGUMENTS]
    choices = [word for word in named if word.islower()]
    if choices:
        sources.append(lambda asked: (CompletionItem(x) for x in choices if x.startswith(asked.word)))
    return _all_of(sources) if sources else None


class _Offered(click.types.StringParamType):
    """The type of a parameter whose values `source` offers."""

    def __init__(self, source: Source, before: Sequence[str]) -> None:
        self._source = source
        self._before = before

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        whole = ctx.find_root().params
        app = App(os.environ, config=whole["config"], socket=whole["socket"])
        return list(self._source(Asked(app, ctx.command.name or "", self._before, incomplete)))


def _equip(command: click.Command, before: Sequence[str]) -> None:
    """Have the parameters of this command, and of those below it, offer their values."""
    for parameter in command.params:
        source = source_of(parameter)
        if source is not None:
            parameter.type = _Offered(source, before)
    if isinstance(command, click.Group):
        for below in command.commands.values():
            below.short_help = below.get_short_help_str(limit=200)
            _equip(below, before)


def _all_of(sources: Sequence[Source]) -> Source:
    return lambda asked: chain.from_iterable(source(asked) for source in sources)
