"""The log: each line of a job carries its id, and none does harm or tells a secret."""

from __future__ import annotations

import ast
import io
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import htdl
from htdl.config import Log
from htdl.core import about
from htdl.daemon import logs
from htdl.jobs import State
from tests.daemon.downloads import in_state, once
from tests.daemons import Daemon
from tests.swarm import Swarm
from tests.waiting import until

ID = "3f2a91bc-0000-4000-8000-000000000000"
TOKEN = "AbCdEfGhIjKlMnOpQrSt-_"
ROOT = Path(htdl.__file__).parent

# Lines that tell of no job, or where nobody knows which: by the first words of each.
OF_NO_JOB = {
    "core/chores.py": "work failed",  # begun inside `about.job`, which names it
    "core/cleaner.py": "cleaning failed",
    "core/hooks.py": "events what",
    "core/limiting.py": "limits that",
    "core/payload.py": "cannot not",  # called inside `about.job`
    "core/runner.py": "turn",
    "core/shelf.py": "not noted",  # a file that is watched, whosesoever
    "core/subtitling.py": "cannot look",
    "core/tracks.py": "no subtitles",  # read inside `about.job`
    "core/vtt_files.py": "cannot read",  # a request from the page: its path is told
    "core/watch.py": "*",  # folders, and files in them
    "torrent/alerts.py": "listening cannot libtorrent",
    "torrent/engine.py": "no",
    "torrent/session.py": "dht alert",
}


@pytest.fixture
def root() -> Iterator[None]:
    """The root logger, as it was."""
    logger = logging.getLogger()
    before, level = logger.handlers[:], logger.level
    yield
    logger.handlers[:] = before
    logger.setLevel(level)


Written = Callable[..., list[str]]


@pytest.fixture
def written(root: None) -> Written:
    """What lines stand in the log after this was done."""

    def write(
        do: Callable[[], object], *, form: str = "text", environ: Mapping[str, str] | None = None
    ) -> list[str]:
        stream = io.StringIO()
        logs.set_up(Log(level="debug", format=form), environ or {}, stream)
        do()
        return stream.getvalue().splitlines()

    return write


log = logging.getLogger("htdl.test")


def test_a_line_has_its_time_level_and_place(written: Written) -> None:
    (line,) = written(lambda: log.info("paused job=%s", ID))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} INFO    htdl.test: paused job=3f2a91bc", line)


def test_under_systemd_it_has_the_priority_and_no_time(written: Written) -> None:
    for form, rest in (("text", "htdl.test: x"), ("json", "{")):
        (line,) = written(lambda: log.warning("x"), form=form, environ={"JOURNAL_STREAM": "8:1"})
        assert line.startswith(f"<4>{rest}")


def test_under_systemd_each_line_of_a_trace_has_the_priority(written: Written) -> None:
    """The journal takes each line for one of its own: without it, those of a trace would be of no weight."""

    def fail() -> None:
        try:
            raise ValueError("first\nsecond")
        except ValueError:
            log.exception("failed")

    lines = written(fail, environ={"JOURNAL_STREAM": "8:1"})
    assert lines[-1] == "<3>  second"
    assert all(x.startswith("<3>") for x in lines)


def test_what_is_logged_for_a_job_carries_its_id(written: Written) -> None:
    def work() -> None:
        with about.job(ID):
            log.info("disk is slow")
            log.info("named job=%s", "11111111-0000-4000-8000-000000000000")
        log.info("over")

    assert [x.partition(": ")[2] for x in written(work)] == [
        "disk is slow job=3f2a91bc",
        "named job=11111111",
        "over",
    ]
    assert [json.loads(x).get("job") for x in written(work, form="json")] == [
        ID,
        "11111111-0000-4000-8000-000000000000",
        None,
    ]


def test_a_name_is_not_taken_for_a_job(written: Written) -> None:
    (line,) = written(lambda: log.info("name=%s", f"job={ID}"), form="json")
    assert "job" not in json.loads(line)


def test_json_is_one_object_a_line_with_its_trace(written: Written) -> None:
    def fail() -> None:
        try:
            raise ValueError("first\nsecond")
        except ValueError:
            log.exception("failed")

    (line,) = written(fail, form="json")
    told = json.loads(line)
    assert (told["level"], told["logger"], told["message"]) == ("error", "htdl.test", "failed")
    assert told["time"].endswith("+00:00")
    assert told["trace"].splitlines()[-2:] == ["ValueError: first", "second"]
    first, *rest = written(fail)
    assert first.endswith("htdl.test: failed")
    assert all(x.startswith("  ") for x in rest), "no line of a trace can be taken for one of the log"


@given(st.text(max_size=50))
def test_whatever_a_stranger_says_stays_one_harmless_line(text: str) -> None:
    assert logs.harmless(text).isprintable()


def test_a_long_message_is_cut() -> None:
    assert len(logs.harmless("x" * 10**6)) < 5000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"magnet:?xt=urn:btih:{'a' * 40}&tr=http%3A%2F%2Ft.example%2FSECRET%2Fannounce", "magnet:?..."),
        ("https://t.example:8443/SECRET/announce?x=1 failed", "https://t.example:8443/... failed"),
        ("udp://t.example:6969?auth=SECRET", "udp://t.example:6969/..."),
        ("wss://SECRET:SECRET@t.example", "wss://...@t.example"),
        ("http://me:SECRET@t.example/x", "http://t.example/..."),
        ("'http://t.example/a'SECRET'", "'http://t.example/..."),
        ("http://t.example/a\x1fSECRET\n", "http://t.example/..."),
        ("tr=http%3A%2F%2Ft.example%2FSECRET", "tr=..."),
        ("http%3A%2F%2Ft.example%2FSECRET", "http%3A%2F%2F..."),
        ("passkey=SECRET&left=0", "passkey=...&left=0"),
        ("torrent_pass=SECRET auth_key=SECRET", "torrent_pass=... auth_key=..."),
        (f"GET /stream/{ID}/{TOKEN}/0/video.mkv", f"GET /stream/{ID}/.../0/video.mkv"),
        (f"http://127.0.0.1:8083/feed/{ID}/{TOKEN}/0/x: refused", "http://127.0.0.1:8083/... refused"),
        ("serving videos at=http://127.0.0.1:8083", "serving videos at=http://127.0.0.1:8083"),
        ("path=/srv/Sintel.mkv bytes=5 pid=7", "path=/srv/Sintel.mkv bytes=5 pid=7"),
    ],
)
def test_what_opens_a_door_is_left_out(text: str, shown: str) -> None:
    told = logs.harmless(text)
    assert told.rstrip() == shown
    assert "SECRET" not in told
    assert TOKEN not in told


@given(st.from_regex(r"[a-z.+:/@?=&%-]{1,400}", fullmatch=True))
def test_it_is_quick_whatever_the_text(text: str) -> None:
    """A pattern that backtracks would take minutes, and run into the test's time limit."""
    logs.harmless(text * 20)


def calls() -> Iterator[tuple[str, int, str]]:
    """Each log call of the rooms that know jobs: file, line, and its words."""
    for room in ("core", "torrent", "stream", "media"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
                if is_call and isinstance(node.func.value, ast.Name) and node.func.value.id == "log":
                    words = node.args[0]
                    assert isinstance(words, ast.Constant), (
                        f"{path}:{node.lineno}: the words are not constant"
                    )
                    yield str(path.relative_to(ROOT)), node.lineno, words.value


def test_each_line_of_a_job_names_it() -> None:
    unnamed = [
        f"htdl/{file}:{line}: {words!r}"
        for file, line, words in calls()
        if "job=%s" not in words and not {words.split()[0], "*"} & set(OF_NO_JOB.get(file, "").split())
    ]
    assert not unnamed, "say job=%s, or list it in OF_NO_JOB with the reason:\n" + "\n".join(unnamed)


def test_a_daemon_tells_no_secret_at_any_level(make_daemon: Callable[..., Daemon], swarm: Swarm) -> None:
    daemon = make_daemon(log={"level": "debug", "format": "json"}, conversion={"enabled": True})
    torrent = swarm.seed({"name.mkv": 300_000})
    source = torrent.magnet + "&tr=http%3A%2F%2F127.0.0.1%3A1%2FSECRET%2Fannounce%3Fpasskey%3DSECRET"
    job = daemon.client.add(source)
    done = once(daemon, job.id, lambda x: x.has_ended or x.progress == 100)
    token = (done.stream_url or "").split("/")[5]
    assert len(token) == len(TOKEN)
    daemon.client.remove(job.id, delete=True) if done.has_ended else daemon.client.cancel(job.id, delete=True)
    assert daemon.stop() == 0
    lines = [json.loads(x) for x in daemon.log().splitlines()]
    assert all({"time", "level", "logger", "message"} <= x.keys() for x in lines)
    assert len([x for x in lines if x.get("job") == job.id]) >= 3
    for secret in ("SECRET", token):
        assert secret not in daemon.log()
    of_it = [x for x in lines if "name.mkv" in x["message"] or job.id in x["message"]]
    assert of_it
    assert all(x.get("job") == job.id for x in of_it)


def test_the_level_is_changed_at_run_time(make_daemon: Callable[..., Daemon]) -> None:
    daemon = make_daemon(log={"level": "warning"})
    assert daemon.htdl("daemon", "log-level").stdout == "warning\n"
    in_state(daemon, daemon.client.add("a" * 40).id, State.DOWNLOADING)
    assert "download starts" not in daemon.log()
    assert daemon.htdl("daemon", "log-level", "debug").stdout == "debug\n"
    until(lambda: "progress job=" in daemon.log())
    daemon.configure({"log": {"level": "warning"}, "torrent": {"seed_ratio": 0.5}})
    until(lambda: daemon.client.config()["torrent.seed_ratio"] == 0.5)
    assert daemon.client.log_level() == "debug", "the configuration names no other"
    daemon.configure({"log": {"level": "error", "format": "json"}})
    until(lambda: daemon.client.log_level() == "error")
    told = daemon.htdl("daemon", "log-level", "loud")
    assert told.returncode == 2
    assert "'error'" in told.stderr
