from __future__ import annotations

from dataclasses import replace

import pytest

from htdl.cli import conversion, details, plain, tables, words
from htdl.cli.board import Ticker
from tests.cli.objects import converted, converting, job, unconverted, waiting
from tests.cli.test_tables import draw, drawn_apart

SERIES = ["S/E10.mkv", "S/E1.mkv", "S/E1.en.srt", "S/e2.mkv"]


@pytest.mark.parametrize(
    ("some", "said"),
    [
        ([], ""),
        ([waiting()], ""),
        ([converting()], "converting 43%, 2.1x, ETA 40s"),
        ([converting(0.4, speed=None, eta_seconds=-1)], "converting 0%"),
        ([waiting(error_message="ffmpeg died")], "converting it is tried again: ffmpeg died"),
        (
            [waiting(error_code="disk_full", error_message="the disk is full")],
            "the conversion waits for room on the disk",
        ),
        (
            [converted(0), waiting(1, error_code="disk_full", error_message="the disk is full")],
            "1 of 2 converted, the conversion waits for room on the disk",
        ),
        ([waiting(0), waiting(1)], ""),
        ([converted(0), waiting(1)], "1 of 2 converted"),
        ([converted(0), converting(file=1)], "1 of 2 converted, the next 43%, 2.1x, ETA 40s"),
        ([converting(file=0), converting(file=1), waiting(2)], "0 of 3 converted, 2 under way"),
        ([unconverted(code="bad_media")], r"not converted: bad_media: \x1b[31mwhy"),
        ([waiting(0), unconverted(1, code="bad_media")], "0 of 2 converted, 1 failed"),
        ([unconverted()], "not converted: no ffmpeg serves; pip install 'htdl[ffmpeg]'"),
        (
            [converted(0), unconverted(1)],
            "1 of 2 not converted: no ffmpeg serves; pip install 'htdl[ffmpeg]'",
        ),
    ],
)
def test_a_download_says_what_is_made_of_it(some: list[object], said: str) -> None:
    assert words.made(job(conversions=some)) == said


def test_what_does_nothing_but_convert_has_its_numbers_in_the_row() -> None:
    told = job(status="CONVERTING", progress=100, download_speed=0, conversions=[converting()])
    assert (words.percent(told), words.share(told), words.eta_seconds(told)) == ("43%", 43.2, 40)
    assert words.note(told) == "picture encoded at 2.1x"
    told = job(status="CONVERTING", progress=100, download_speed=0, conversions=[waiting()])
    assert (words.percent(told), words.eta_seconds(told)) == ("0%", -1)
    assert words.note(told) == "waits to be converted"


def test_a_full_disk_is_told_once() -> None:
    lacking = [waiting(error_code="disk_full", error_message="the disk is full")]
    told = job(conversions=lacking, status="CONVERTING", blocked_by="disk_full", detail="the disk is full")
    assert (words.why(told), words.made(told)) == ("the disk is full", "")


def test_the_rest_of_a_job_has_nothing_to_convert() -> None:
    for status in ("PENDING", "PAUSED", "CANCELLED"):
        assert words.made(job(status=status, conversions=[converting()])) == ""
    assert words.eta_seconds(job(conversions=[converting()])) == 3  # the download's own
    assert words.eta_seconds(job(status="COMPLETED", file_path="/f")) == -1
    untold = job(status="CONVERTING", progress=100, done_bytes=4 << 20)  # its conversions are not
    assert words.percent(untold) == "100%"


def test_a_large_video_counts_for_more() -> None:
    told = job(
        status="CONVERTING", files=["a.mkv", "b.mkv"], conversions=[converted(0), converting(50, file=1)]
    )
    assert conversion.share(told) == 75
    told["files"][0]["size"] = 3 * told["files"][1]["size"]
    assert conversion.share(told) == 87.5


def test_the_last_one_made_ends_it_and_one_that_waits_tells_no_time() -> None:
    some = [converted(0), converting(file=1), converting(file=2, eta_seconds=90)]
    assert conversion.eta_seconds(job(conversions=some)) == 90
    assert conversion.eta_seconds(job(conversions=[*some, waiting(3)])) == -1


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_table_shows_a_download_and_its_conversion(width: int) -> None:
    reading = job(conversions=[converting()], ready=True)
    making = job(status="CONVERTING", progress=100, download_speed=0, conversions=[converting()])
    lines = draw(tables.job_table([reading, making], width), width)
    assert " 25%" in lines[1]
    assert " 3s" in lines[1]
    assert lines[2].strip() == "└ converting 43%, 2.1x, ETA 40s"
    assert " 43%" in lines[3]
    assert " 40s" in lines[3]
    assert lines[4].strip() == "└ picture encoded at 2.1x"


def test_a_reason_and_a_conversion_share_a_line_where_both_fit() -> None:
    told = job(conversions=[converting()])
    wide = draw(tables.job_table([told], 100), 100)
    assert wide[2].strip() == "└ cannot be watched yet: 25 % are here · converting 43%, 2.1x, ETA 40s"
    narrow = [x.strip() for x in draw(tables.job_table([told], 60), 60)]
    assert narrow[2:4] == ["└ cannot be watched yet: 25 % are here", "└ converting 43%, 2.1x, ETA 40s"]


def test_plain_lines_tell_both() -> None:
    making = job(status="CONVERTING", progress=100, download_speed=0, conversions=[converting()])
    assert plain.job_line(making) == (
        "3f2a91bc  converting  43%  -  -  40s  4.0M  7  Sintel.mkv  (picture encoded at 2.1x)"
    )
    assert plain.job_line(job(ready=True, conversions=[converting()])).endswith(
        "(can be watched now; converting 43%, 2.1x, ETA 40s)"
    )


def test_a_percent_of_the_conversion_is_worth_a_line() -> None:
    ticker = Ticker(1.0)
    assert ticker.is_due(job(conversions=[converting(43.2)]), 0.0)
    assert not ticker.is_due(job(conversions=[converting(43.9, eta_seconds=39)]), 2.0)
    assert ticker.is_due(job(conversions=[converting(44.0)]), 2.0)
    assert not ticker.is_due(job(conversions=[converting(45.0)]), 2.5)


def test_what_is_whole_says_that_it_was_not_converted() -> None:
    told = job(status="COMPLETED", file_path="/d/film.mkv", conversions=[unconverted()])
    assert words.why(told) == "not converted: no ffmpeg serves; pip install 'htdl[ffmpeg]'"
    lines = draw(tables.job_table([told], 80), 80)
    assert "pip install 'htdl[ffmpeg]'" in lines[2]
    assert words.why(job(status="COMPLETED", file_path="/d/film.mkv", conversions=[converted()])) == ""


def test_whether_the_conversion_failed_a_job() -> None:
    def failed(code: str, *some: object) -> bool:
        return conversion.has_failed(job(status="FAILED", error_code=code, conversions=some))

    assert failed("bad_media")
    assert failed("conversion_failed")
    assert failed("io_error", unconverted(code="io_error"))
    assert not failed("io_error", converting())
    assert not failed("invalid_torrent", unconverted(code="io_error"))
    assert not conversion.has_failed(job(conversions=[unconverted(code="bad_media")]))


def test_files_come_as_people_number_them_and_each_says_what_is_made_of_it() -> None:
    some = [waiting(0), converted(1), converting(file=3)]
    told = job(files=SERIES, conversions=some)
    assert [row[3] for row in details.files(told)] == ["S/E1.en.srt", "S/E1.mkv", "S/e2.mkv", "S/E10.mkv"]
    assert details.conversions(told) == [
        ("1", "done", "-", "picture encoded", "no browser plays MPEG-4", "/videos/1.mp4"),
        ("3", "converting", "43%, 2.1x, ETA 40s", "picture encoded", "no browser plays MPEG-4", "-"),
        ("0", "waits", "-", "picture encoded", "no browser plays MPEG-4", "-"),
    ]
    drawn = [x.strip() for x in drawn_apart(tables.job_details(told, 200), 200)]
    first = next(n for n, line in enumerate(drawn) if line.endswith("S/E1.mkv"))
    assert drawn[first + 1 : first + 3] == [
        "└ done (picture encoded): no browser plays MPEG-4",
        "└ /videos/1.mp4",
    ]
    assert drawn[first + 4] == "└ converting 43%, 2.1x, ETA 40s (picture encoded): no browser plays MPEG-4"


def test_an_error_is_shown_beside_its_file_and_harmless() -> None:
    told = job(conversions=[unconverted(code="bad_media")])
    assert details.conversions(told)[0][1:] == (
        "failed",
        "-",
        "picture encoded",
        r"bad_media: \x1b[31mwhy",
        "-",
    )
    assert all(x.isprintable() for x in drawn_apart(tables.job_details(told, 80), 80))


def test_details_sum_up_the_conversion_and_name_the_subtitles() -> None:
    told = job(status="CONVERTING", progress=100, download_speed=0, conversions=[converting()])
    told["subtitles"] = [{"url": "u", "language": "de", "label": "Forced"}]
    told["subtitles"] += [{"url": "u", "language": "", "label": "English\x1b"}]
    told["subtitles"] += [{"url": None, "language": "fr", "label": "fr", "note": "made of pictures"}]
    rows = dict(details.details(told))
    assert rows["conversion"] == "43%, 40s to go, picture encoded at 2.1x"
    assert rows["subtitles"] == r"Forced (de); English\x1b; fr: made of pictures"
    assert not {"buffered", "index"} & rows.keys()  # all of it is here
    assert "conversion" not in dict(details.details(job()))


def test_a_long_reason_is_broken_between_words_and_a_path_is_not() -> None:
    told = job(conversions=[replace(converted(), reason="so it is " * 20, output="/a folder/" * 20)])
    lines = drawn_apart(tables.job_details(told, 60), 60)
    reason = [x for x in lines if x.startswith(" " * 7) and "so it is" in x]
    assert len(reason) > 2
    assert all(len(x) <= 60 for x in reason)
    assert any(x.endswith("/a folder/" * 20) for x in lines)


def test_a_file_that_was_here_already_has_neither_speed_nor_peers() -> None:
    assert {"speed", "peers"} <= dict(details.details(job(info_hash="ab" * 20))).keys()
    assert not {"speed", "peers", "info-hash"} & dict(details.details(job(info_hash=""))).keys()
