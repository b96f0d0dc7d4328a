from __future__ import annotations

import io
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from htdl.cli import details, tables
from htdl.cli.bars import bar
from tests.cli.objects import ID, job

NAMES = [
    "Sintel.mkv",
    "日本語の映画 第一話 とても長い名前のファイル そのに.mkv",
    "🎬👨‍👩‍👧 family movie 🎥🎥🎥🎥🎥🎥🎥🎥🎥🎥🎥🎥🎥🎥",
    "[bold red]markup[/bold red] [link=file:///etc]x[/link]",
    "\x1b[31mred\x1b]0;title\x07\r\nsecond",
    "\u202egpj.exe",
    "é" * 100,
    "x" * 500,
]


def draw(text: Text, width: int, *, color: bool = False) -> list[str]:
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=True,
        color_system="truecolor" if color else None,
        markup=False,
        highlight=False,
        emoji=False,
        _environ={},
    )
    console.print(text)
    return out.getvalue().splitlines()


def drawn_apart(lines: list[Text], width: int) -> list[str]:
    """As `htdl show` prints them."""
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None, _environ={})
    for line in lines:
        console.print(line, soft_wrap=bool(line.no_wrap))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 100, 160])
def test_columns_are_straight_whatever_the_names(width: int) -> None:
    lines = draw(tables.job_table([job(name=name, ready=True) for name in NAMES], width), width)
    rows = lines[1:-1]
    assert len(rows) == len(NAMES)
    assert {cell_len(row.rstrip()) for row in rows} == {cell_len(rows[0].rstrip())}
    assert {cell_len(row[: row.index("downloading")]) for row in rows} == {
        cell_len(lines[0][: lines[0].index("STATE")])
    }
    assert all(cell_len(line) <= width for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_no_control_character_and_no_markup_gets_through(name: str) -> None:
    drawn = "".join(draw(tables.job_table([job(name=name)], 80), 80))
    assert drawn.isprintable()
    if name.startswith("[bold"):
        assert "[bold red]" in drawn


def test_everything_asked_for_is_in_a_wide_row() -> None:
    row = draw(tables.job_table([job(upload_speed=2048, ready=True)], 160), 160)[1]
    for cell in (
        "3f2a91bc",
        "Sintel.mkv",
        "downloading",
        "━",
        "25%",
        "▶",
        "1.0M/s",
        "2.0K/s",
        "3s",
        "4.0M",
        " 7",
    ):
        assert cell in row


def test_the_reason_runs_below_the_row() -> None:
    blocked = job(
        blocked_by="disk_full", download_speed=0, detail="needs 3 GiB more\x1b[0m than there is " * 5
    )
    lines = draw(tables.job_table([blocked], 80), 80)
    assert r"└ needs 3 GiB more\x1b[0m" in lines[2]
    assert cell_len(lines[2]) == 80


def test_what_cannot_be_watched_yet_says_why_below_its_row() -> None:
    lines = draw(tables.job_table([job(), job(ready=True)], 80), 80)
    assert "└ cannot be watched yet: 25 % are here" in lines[2]
    assert "▶" in lines[3]
    assert len(lines) == 5


def test_what_is_left_out_is_counted() -> None:
    lines = draw(tables.job_table([job(ready=True)], 80, more=10_233), 80)
    assert "1 of 10,234 shown; all of them: htdl status --all" in lines[2]


@pytest.mark.parametrize("height", [5, 10, 30])
def test_a_live_table_fits_the_terminal(height: int) -> None:
    jobs = [job(blocked_by="no_peers") for _ in range(50)]
    lines = draw(tables.job_table(jobs, 80, most_lines=height), 80)
    assert len(lines) <= height
    assert f"{(len(lines) - 3) // 2} of 50 shown" in lines[-2]


@pytest.mark.parametrize("height", [1, 4])
def test_the_lowest_terminal_shows_one(height: int) -> None:
    lines = draw(tables.job_table([job(blocked_by="no_peers") for _ in range(7)], 80, most_lines=height), 80)
    assert len(lines) == 4
    assert lines[1].startswith("3f2a91bc")
    assert lines[2].startswith("1 of 7 shown")


def test_totals_add_up() -> None:
    jobs = [job(), job(), job(status="COMPLETED", done_bytes=4 << 20, download_speed=0)]
    assert tables.footer(jobs, 80) == "2 downloading, 1 completed · 2.0 MiB/s down · 6.0 MiB to come"


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 160])
def test_the_footer_fits_in_whole_words(width: int) -> None:
    states = ("DOWNLOADING", "PENDING", "PAUSED", "COMPLETED", "FAILED")
    jobs = [job(status=status, upload_speed=1 << 20, ready=True) for status in states]
    whole = tables.footer(jobs, 1000)
    assert whole.startswith("1 downloading, 1 pending, 1 paused, 1 completed, 1 failed · 5.0 MiB/s down · ")
    assert whole.endswith("▶ can be watched now")
    fitting = tables.footer(jobs, width)
    assert cell_len(fitting) <= width
    assert set(fitting.replace(",", "").split()) <= {*whole.replace(",", "").split(), "ready", "…"}
    assert fitting.startswith("1 downloading")


def test_the_footer_tells_the_speed_before_what_has_ended() -> None:
    states = ("DOWNLOADING", "PENDING", "PAUSED", "COMPLETED", "FAILED", "CANCELLED")
    jobs = [job(status=status, done_bytes=4 << 20) for status in states]
    assert tables.footer(jobs, 70) == "1 downloading, 1 pending, 1 paused · 6.0 MiB/s down"
    still = [job(status=status, download_speed=0) for status in states]
    assert tables.footer(still, 70).endswith("1 completed, 1 failed, 1 cancelled")


def test_a_path_is_never_cut_or_wrapped() -> None:
    path = "/downloads/" + "a folder with a long name/" * 10 + "film.mkv"
    lines = tables.job_details(job(file_path=path), 40)
    assert any(line.endswith(path) for line in drawn_apart(lines, 40))


def test_a_long_value_goes_on_below_itself() -> None:
    said = "映画 " * 20 + "and words " * 20
    lines = drawn_apart(tables.job_details(job(status="FAILED", error_message=said), 60), 60)
    begin = next(n for n, x in enumerate(lines) if x.startswith("state"))
    margin = lines[begin].index("failed")
    below = lines[begin + 1 : begin + 4]
    assert all(x[:margin].isspace() and not x[margin].isspace() for x in below)
    assert all(cell_len(x) <= 60 for x in lines)


def test_an_id_is_never_cut() -> None:
    assert any(x.endswith(ID) for x in drawn_apart(tables.job_details(job(), 40), 40))


def test_a_url_stands_beside_its_label() -> None:
    one = job() | {"stream_url": "http://127.0.0.1:8083/" + "x" * 200}
    assert any(
        x.startswith("stream ") and x.endswith("x" * 200)
        for x in drawn_apart(tables.job_details(one, 80), 80)
    )


def test_what_is_faint_is_no_colour_of_its_own() -> None:
    drawn = "".join(draw(tables.job_table([job(blocked_by="no_peers")], 80), 80, color=True))
    assert "\x1b[2m" in drawn or "\x1b[2;39m" in drawn
    assert "\x1b[90m" not in drawn


def test_times_are_those_of_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        shown = dict(
            details.details(job(created_at="2026-11-23T15:25:43.067+00:00", completed_at="\x1b[2Jx"))
        )
    finally:
        monkeypatch.undo()
        time.tzset()
    assert shown["added"] == "2026-11-24 00:25:43 +0900"
    assert shown["completed"] == r"\x1b[2Jx"


def test_one_that_ended_has_no_speed() -> None:
    assert "speed" in dict(
        details.details(job(status="COMPLETED") | {"info_hash": "a" * 40, "seeding": True})
    )
    ended = dict(details.details(job(status="FAILED") | {"info_hash": "a" * 40}))
    assert not {"speed", "peers", "ready"} & set(ended)


def test_what_is_left_out_is_listed_by_the_same_filters() -> None:
    lines = draw(tables.job_table([job(ready=True)], 80, more=7, hint="htdl status --all -s paused"), 80)
    assert "1 of 8 shown; all of them: htdl status --all -s paused" in lines[2]


@pytest.mark.parametrize("width", [30, 50, 80])
def test_no_line_is_ever_wrapped(width: int) -> None:
    jobs = [
        job(status=status, upload_speed=1 << 20, ready=True)
        for status in ("DOWNLOADING", "PENDING", "PAUSED")
    ]
    lines = draw(tables.job_table(jobs, width), width)
    assert len(lines) == 1 + len(jobs) + 1
    assert all(cell_len(line) <= width for line in lines)


def test_without_colour_there_is_no_escape() -> None:
    assert "\x1b" not in "".join(draw(tables.job_table([job()], 80), 80))
    assert "\x1b" in "".join(draw(tables.job_table([job()], 80), 80, color=True))


def test_details_hold_the_files_and_the_verdict() -> None:
    drawn = "\n".join(drawn_apart(tables.job_details(job(ready=True, max_download_speed=1024), 80), 80))
    for part in (
        "Sintel.mkv",
        "25%, 1.0 MiB of 4.0 MiB, 3s to go",
        "can be watched now: 25 % are here",
        "1.0 KiB/s down",
        "/downloads/x",
    ):
        assert part in drawn


@settings(max_examples=300)
@given(st.text(), st.integers(1, 60))
def test_a_cell_is_as_wide_as_told(text: str, width: int) -> None:
    clean = "".join(x for x in text if x.isprintable())
    assert cell_len(tables.fit(Text(clean), width).plain) == width


@given(st.floats(0, 100), st.integers(1, 60))
def test_a_bar_is_as_wide_as_told_and_full_only_at_the_end(percent: float, width: int) -> None:
    drawn = bar(percent, width).plain
    assert cell_len(drawn) == width
    assert (drawn == "━" * width) == (percent == 100)
