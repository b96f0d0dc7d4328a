"""What the shells offer: by the answers themselves, and by keys pressed in real shells."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from htdl.cli import complete, completion, torrent_files
from htdl.cli.complete import Reply
from htdl.cli.main import VERBS, command
from htdl.errors import BadSource
from htdl.torrent import sources
from tests.cli.test_usage import commands
from tests.daemons import Daemon
from tests.shells import Shell
from tests.tools import require
from tests.torrents import bencode, leaf, make_info, make_info_v2, make_torrent

ROOT = Path(__file__).parents[2]
NAMES = [
    "Plain Film.mkv",
    'It\'s "quoted".mkv',
    "$(touch ran)`touch ran`;touch ran.mkv",
    "Colon: the = film.mkv",
    "電影 影片.mkv",
    "%F{red}[Group] <Film> & more|!x*.mkv",
    "-dash.mkv",
]
# What stands for something that is there; all else, numbers and times and texts, a person makes up.
OFFERED = re.compile(r"\b(ID|JOB|SOURCE|FILE|GLOB|DIR|FOLDER|PATH)\b")
MADE_UP = {"--video-id", "--torrent-id"}


# The command, but it waits for the daemon as long as a busy machine needs; who pressed Tab does not.
PATIENTLY = "from htdl.cli import main, offers; offers.PATIENCE_SECONDS = 30.0; main.main()"


def words(*line: str) -> list[str]:
    """What may stand in place of the last word."""
    return [value for value, _ in complete.reply(command, line[:-1], line[-1]).words]


def test_every_verb_is_offered_with_its_help() -> None:
    verbs = {name: says for group in VERBS.values() for name, says in group.items()}
    assert dict(complete.reply(command, [], "").words) == verbs
    assert words("res") == ["resume"]


@pytest.mark.parametrize(("name", "found"), [*commands(command)])
def test_every_option_and_choice_is_offered(name: str, found: click.Command) -> None:
    before = name.split()
    if isinstance(found, click.Group):
        offered = dict(complete.reply(command, before, "").words)
        assert offered.keys() == found.commands.keys()
        assert all(offered.values())
    for option in (x for x in found.params if isinstance(x, click.Option)):
        assert set(option.opts) <= set(words(*before, "--")) | set(words(*before, "-"))
        if isinstance(option.type, click.Choice):
            assert set(words(*before, option.opts[-1], "")) == set(option.type.choices)


@pytest.mark.parametrize(("name", "found"), [*commands(command)])
def test_the_values_of_a_parameter_are_offered(name: str, found: click.Command) -> None:
    for one in found.params:
        if OFFERED.search(one.metavar or "") and not MADE_UP & set(one.opts):
            known = isinstance(one.type, click.Choice | click.Path) or complete.source_of(one)
            assert known, f"{name} {one.opts}: say in complete.py what is offered for {one.metavar}"


def test_the_words_of_an_argument_are_offered(offline: Daemon) -> None:
    asked = offline.htdl("completion", "zsh", "--", "htdl", "priority", "3f2a", "")
    assert asked.stdout.split() == ["high", "normal", "low"]


def test_nonsense_offers_nothing() -> None:
    for line in (
        ["nothing", ""],
        ["add", "--nothing", "x", ""],
        ["show", "--path=", "x"],
    ):
        assert complete.reply(command, line[:-1], line[-1]).words == ()


def test_more_words_than_bash_gives_are_no_bug() -> None:
    assert completion.answer(command, "bash", ["htdl pau", "left over", "pau"]) == [
        "",
        "pause\tLet downloads stand still.",
    ]


def test_the_kinds_of_files() -> None:
    assert complete.reply(command, ["add"], "x") == Reply(files="torrents")
    assert complete.reply(command, ["--config"], "x") == Reply(files="files")
    assert complete.reply(command, ["convert", "a", "--output"], "x") == Reply(files="dirs")


@pytest.mark.parametrize(
    ("line", "before", "word"),
    [
        ("htdl ", ["htdl"], ""),
        ("htdl a", ["htdl"], "a"),
        (r"htdl a\ b", ["htdl"], "a b"),
        ("htdl 'a b' ", ["htdl", "a b"], ""),
        ("htdl 'a b", ["htdl"], "a b"),
        ("htdl \"a 'b", ["htdl"], "a 'b"),
        ("htdl '", ["htdl"], ""),
        ("htdl $(x", ["htdl"], "$(x"),
        ("", [], ""),
    ],
)
def test_a_line_is_read_as_a_shell_does(line: str, before: list[str], word: str) -> None:
    assert completion.split(line) == (before, word)


@given(st.text())
def test_any_line_can_be_read(line: str) -> None:
    before, word = completion.split(line)
    assert all(isinstance(x, str) for x in (*before, word))


SERIES = [("S1/a.mkv", 70_000), ("S1/b: 'c'.mkv", 16384), ("電.srt", 100)]
V2 = {"S1": {"a.mkv": leaf(7000), "b.mkv": leaf(16384)}, "z.srt": leaf(100)}


@pytest.mark.parametrize(
    "torrent",
    [
        make_torrent(make_info("One.mkv")),
        make_torrent(make_info("Series", files=SERIES)),
        make_torrent(make_info_v2()),
        make_torrent(make_info_v2(V2, name="Series")),
    ],
    ids=["one", "several", "v2", "v2 several"],
)
def test_the_files_of_a_torrent_have_the_daemon_s_numbers(torrent: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.torrent"
    path.write_bytes(torrent)
    metadata = sources.parse(torrent, allow_lan=True).metadata
    assert metadata
    assert torrent_files.read(path) == [(x.index, x.path) for x in metadata.files]


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"l" * 5000, b"i1e", b"de", b"d4:infoi1ee", b"9:a", bencode({"info": {"name": 1}}),
     bencode({"info": {"name": "x", "files": 3}}), bencode({"info": {"name": "x", "files": [{}]}}),
     bencode({"info": {"name": "x", "file tree": {"a": 1}, "piece length": 0}})],
)  # fmt: skip
def test_what_is_no_torrent_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.torrent"
    path.write_bytes(data)
    with pytest.raises(BadSource):
        torrent_files.read(path)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_torrent_or_refused(data: bytes) -> None:
    with contextlib.suppress(BadSource):
        torrent_files.parse(b"d4:info" + data)


def test_the_shells_files_are_installed_where_shells_look() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    for shell, place in completion.PLACES.items():
        assert shared[f"completions/{completion.FILES[shell]}"] == place
    assert {x.name for x in (ROOT / "completions").iterdir()} == set(completion.FILES.values())


@pytest.mark.parametrize("shell", completion.PLACES)
def test_completion_prints_the_shell_s_file(shell: str) -> None:
    result = CliRunner().invoke(command, ["completion", shell])
    assert result.output == (ROOT / "completions" / completion.FILES[shell]).read_text()


def test_nobody_answers_and_nobody_is_started(offline: Daemon) -> None:
    for line in ("htdl pause ", "htdl url x --file ", "htdl play "):
        result = offline.htdl("completion", "bash", "--", line)
        assert result.returncode == 0
        assert result.stdout.strip() in {"", "torrents"}
        assert result.stderr == ""
    assert not offline.state.exists()


def test_a_socket_of_systemd_is_not_touched(offline: Daemon) -> None:
    """Who connects to it starts the daemon."""
    runtime = offline.socket.parents[1]
    (runtime / "htdl").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(runtime / "htdl" / "htdl.sock"))
        listener.listen()
        listener.setblocking(False)
        del offline.env["HTDL_SOCKET"]
        offline.env["XDG_RUNTIME_DIR"] = str(runtime)
        assert offline.htdl("completion", "bash", "--", "htdl pause ").stdout == "\n"
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with paused downloads of odd names, and a folder with a .torrent to type commands in."""
    daemon = Daemon(tmp_path_factory.mktemp("odd"))
    folder = daemon.home / "here"
    (folder / "bin").mkdir(parents=True)
    (folder / "sub dir").mkdir()
    torrent = make_torrent(make_info("Series", files=SERIES))
    (folder / "my series.torrent").write_bytes(torrent)
    (folder / "film.avi").touch()
    executable = folder / "bin" / "htdl"
    executable.write_text(f"#!/bin/sh\nexec {sys.executable} -P -c '{PATIENTLY}' \"$@\"\n")
    executable.chmod(0o755)
    daemon.command = [str(executable)]
    daemon.env |= {
        "PATH": f"{executable.parent}{os.pathsep}{daemon.env['PATH']}",
        "TERM": "xterm",
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "100",
        "INPUTRC": "/dev/null",
        "HISTFILE": "/dev/null",
    }
    try:
        daemon.start()
        for name in NAMES:
            daemon.client.add(torrent=make_torrent(make_info(name)), paused=True)
        daemon.client.add(torrent=torrent, paused=True, video_id="series-1")
        yield daemon
        assert {x.name for x in folder.iterdir()} == {"bin", "sub dir", "my series.torrent", "film.avi"}
    finally:
        daemon.end()


def told(daemon: Daemon, line: str) -> dict[str, str]:
    result = daemon.htdl("completion", "zsh", "--", *line.split(" "), cwd=daemon.home / "here")
    assert result.stderr == ""
    return dict(x.split("\t") for x in result.stdout.splitlines()[1:])


def test_jobs_are_offered_with_state_and_name(odd: Daemon) -> None:
    jobs = {x.id[:8]: x.name for x in odd.client.jobs()}
    offered = told(odd, "htdl show ")
    assert jobs.keys() | {"series-1"} == offered.keys()
    assert all(offered[x] == f"paused 0% {name}" for x, name in jobs.items())


def test_a_verb_offers_only_jobs_that_it_can_do_something_to(odd: Daemon) -> None:
    assert told(odd, "htdl resume ")
    assert told(odd, "htdl remove ") == told(odd, "htdl pause ") == {}


def test_a_job_is_offered_once(odd: Daemon) -> None:
    one = odd.client.jobs()[0].id
    assert told(odd, f"htdl show {one[:3]}").keys() == {one[:8]}
    assert told(odd, f"htdl show {one[:10]}").keys() == {one}
    assert one[:8] not in told(odd, f"htdl resume {one[:8]} ")


def test_a_job_is_offered_by_its_name(odd: Daemon) -> None:
    by_name = {x.name: x.id[:8] for x in odd.client.jobs()}
    assert told(odd, "htdl show plain").keys() == {by_name["Plain Film.mkv"]}
    assert told(odd, "htdl show .mkv").keys() == {by_name[x] for x in NAMES}
    assert told(odd, "htdl show nothing-like-it") == {}


def test_the_files_of_a_job_are_offered_by_number_and_by_name(odd: Daemon) -> None:
    for before in ("htdl url series-1 --file", "htdl --socket /nowhere/s add my?series.torrent --file"):
        line = [x.replace("?", " ") for x in before.split()]
        asked = odd.htdl("completion", "zsh", "--", *line, "", cwd=odd.home / "here").stdout
        paths = {str(number): f"Series/{path}" for number, (path, _) in enumerate(SERIES)}
        assert dict(x.split("\t") for x in asked.splitlines()[1:]) == paths
    assert told(odd, "htdl url series-1 --file=b") == {"b: 'c'.mkv": "file 1"}


def test_bash(odd: Daemon) -> None:
    setup = (
        """PS1='$ '; bind -x '"\\C-g": printf "%s<<%s>>" LINE "$READLINE_LINE"'; cd "$HOME/here"; """
        "source <(htdl completion bash)"
    )
    with Shell([require("bash"), "--norc", "--noprofile", "-i"], odd.env, setup) as bash:
        assert bash.type("htdl res\t")[0] == "htdl resume "
        assert bash.type("htdl wait --for=re\t")[0] == "htdl wait --for=ready "
        line, listing = bash.type("htdl resume \t\t")
        assert line == "htdl resume "
        for job in odd.client.jobs():
            assert f"{job.id[:8]}  (paused 0% {job.name})" in listing
        one = odd.client.jobs()[2].id
        assert bash.type(f"htdl resume {one[:5]}\t")[0] == f"htdl resume {one[:8]} "
        for typed in ("Plain", "'Colon: t"):  # by its name
            job = next(x for x in odd.client.jobs() if x.name.startswith(typed.strip("'")))
            assert shlex.split(bash.type(f"htdl show {typed}\t")[0])[-1] == job.id[:8]
        assert (
            bash.type("htdl show Colon:\t")[0] == "htdl show Colon:"
        )  # of which bash would keep the beginning
        assert bash.type("htdl add my\t")[0] == r"htdl add my\ series.torrent "
        assert bash.type("htdl add s\t")[0] == r"htdl add sub\ dir/"
        for typed in ("b", r"b:\ ", '"b'):
            line, _ = bash.type(f"htdl url series-1 --file {typed}\t")
            assert shlex.split(line) == ["htdl", "url", "series-1", "--file", "b: 'c'.mkv"]
        assert shlex.split(bash.type("htdl url series-1 --file=b\t")[0])[-1] == "--file=b: 'c'.mkv"


def test_zsh(odd: Daemon) -> None:
    setup = (
        "PS1='$ '; dump() { print -rn -- LINE'<<'$BUFFER'>>' }; zle -N dump; bindkey '^G' dump; "
        'bindkey "^U" kill-whole-line; autoload -Uz compinit; compinit -D; cd "$HOME/here"; '
        "source <(htdl completion zsh)"
    )
    with Shell([require("zsh"), "-f", "-i"], odd.env, setup) as zsh:
        assert zsh.type("htdl res\t")[0] == "htdl resume "
        listing = zsh.type("htdl resume \t")[1]
        for job in odd.client.jobs():
            assert f"{job.id[:8]}  paused 0% {job.name}" in listing
        job = next(x for x in odd.client.jobs() if x.name.startswith("Plain"))
        assert zsh.type("htdl show plain\t")[0] == f"htdl show {job.id[:8]} "
        assert zsh.type("htdl show .mkv\t")[0] == "htdl show .mkv"
        assert zsh.type("htdl add my\t")[0] == r"htdl add my\ series.torrent "
        assert zsh.type("htdl url series-1 --file=b\t")[0] == r"htdl url series-1 --file=b:\ \'c\'.mkv "
        assert zsh.type('htdl url series-1 --file "b\t')[0] == "htdl url series-1 --file \"b: 'c'.mkv\" "


def test_zsh_loads_it_by_its_name(odd: Daemon) -> None:
    code = f"fpath=({ROOT}/completions $fpath); autoload -Uz compinit; compinit -D; print $_comps[htdl]"
    done = subprocess.run([require("zsh"), "-f", "-c", code], env=odd.env, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("_htdl\n", "")


def test_fish(odd: Daemon) -> None:
    def offered(line: str) -> list[str]:
        code = "htdl completion fish | source; cd $HOME/here; complete -C $argv[1]"
        command_line = [require("fish"), "--no-config", "-c", code, line]
        done = subprocess.run(command_line, env=odd.env, capture_output=True, text=True)
        assert done.stderr == ""
        return done.stdout.splitlines()

    assert offered("htdl res") == ["resume\tLet paused downloads go on."]
    jobs = {f"{x.id[:8]}\tpaused 0% {x.name}" for x in odd.client.jobs()}
    assert jobs < set(offered("htdl resume "))
    assert offered("htdl add my") == ["my series.torrent"]
    assert offered("htdl url series-1 --file=b") == ["--file=b: 'c'.mkv\tfile 1"]
    assert offered('htdl url series-1 --file "b') == ["b: 'c'.mkv\tfile 1"]
    assert offered("htdl daemon status --js") == ["--json\tPrint JSON, for programs."]
    assert offered("htdl daemon status --")[0] == "--json\tPrint JSON, for programs."
