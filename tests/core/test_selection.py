from __future__ import annotations

import pytest

from htdl.core.selection import choose, main_file
from htdl.errors import BadRequest
from tests.core.examples import job_file, torrent_files

FILM = torrent_files(
    ("Film/Film.2021.mkv", 4_000),
    ("Film/Sample/film-sample.mkv", 50),
    ("Film/Subs/English.srt", 5),
    ("Film/Subs/English.idx", 5),
    ("Film/RARBG.txt", 1),
    ("Film/cover.jpg", 3),
)


def test_by_default_the_videos_and_their_subtitles_are_wanted() -> None:
    assert choose(FILM, ()) == [0, 2, 3]


def test_every_episode_of_a_series_is_wanted() -> None:
    files = torrent_files(("s/e1.mkv", 100), ("s/e2.mkv", 90), ("s/e3.MP4", 10), ("s/info.nfo", 1))
    assert choose(files, ()) == [0, 1, 2]


def test_without_a_video_everything_is_wanted() -> None:
    assert choose(torrent_files(("a.iso", 1), ("b.txt", 2)), ()) == [0, 1]


@pytest.mark.parametrize(
    "name", ["sample.mkv", "Trailer.mp4", "x/proof/a.avi", "RARBG.mp4", "a-sample-b.mkv"]
)
def test_small_extras_are_left_out(name: str) -> None:
    assert choose(torrent_files((name, 10), ("film.mkv", 100)), ()) == [1]


@pytest.mark.parametrize("name", ["The Sampler.mkv", "Resample.mkv", "Waterproof.mkv", "trailers.mkv"])
def test_a_name_that_only_holds_the_word_is_a_film(name: str) -> None:
    assert choose(torrent_files((name, 10), ("film.mkv", 100)), ()) == [0, 1]


def test_a_sample_that_is_as_large_as_a_film_is_one() -> None:
    assert choose(torrent_files(("sample.mkv", 25), ("film.mkv", 100)), ()) == [0, 1]
    assert choose(torrent_files(("sample.mkv", 100)), ()) == [0]


def test_no_files_are_no_choice() -> None:
    assert choose((), ()) == []


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (("*",), [0, 1, 2, 3, 4, 5]),
        (("0",), [0]),
        (("5", "0"), [0, 5]),
        (("0", "0", "*.mkv"), [0, 1]),
        (("*.MKV",), [0, 1]),
        (("film.2021.mkv",), [0]),
        (("Film/Subs/*",), [2, 3]),
        (("*.jp[ge]", "*.txt"), [4, 5]),
        (("english.???",), [2, 3]),
    ],
)
def test_a_selection_names_files_by_index_or_glob(patterns: tuple[str, ...], expected: list[int]) -> None:
    assert choose(FILM, patterns) == expected


@pytest.mark.parametrize("pattern", ["6", "*.avi", "", "-1", "Film", "٣"])
def test_a_pattern_that_names_no_file_is_refused_and_named(pattern: str) -> None:
    with pytest.raises(BadRequest) as caught:
        choose(FILM, ("0", pattern))
    assert caught.value.code == "no_such_file"
    assert repr(pattern) in caught.value.message
    assert caught.value.hint


def test_a_name_with_brackets_is_meant_as_it_stands() -> None:
    files = torrent_files(("s/[Group] Film - 01.mkv", 1), ("s/[Group] Film - 02.mkv", 1))
    assert choose(files, ("[Group] Film - 02.mkv",)) == [1]
    assert choose(files, ("s/[group] film - 01.mkv",)) == [0]


def test_the_indices_are_the_torrents_own() -> None:
    """Padding files are left out of the list but count."""
    files = [file for file in FILM if file.index in {2, 4}]
    assert choose(files, ("4",)) == [4]


def test_the_main_file_is_the_largest_wanted_video() -> None:
    files = [
        job_file(0, "extras.zip", 9_000),
        job_file(1, "a.mkv", 100),
        job_file(2, "b.mkv", 200),
        job_file(3, "c.mkv", 300, wanted=False),
    ]
    assert main_file(files) == files[2]


def test_without_a_video_the_main_file_is_the_largest() -> None:
    files = [job_file(0, "a.zip", 1), job_file(1, "b.zip", 2)]
    assert main_file(files) == files[1]


def test_of_equal_videos_the_first_is_the_main_file() -> None:
    files = [job_file(0, "a.mkv", 5), job_file(1, "b.mkv", 5)]
    assert main_file(files) == files[0]


def test_of_a_series_the_first_episode_is_the_main_file() -> None:
    files = [job_file(0, "s/E10.mkv", 100), job_file(1, "s/e2.mkv", 91), job_file(2, "s/E1.mkv", 89)]
    assert main_file(files) == files[1], "the third is no episode as the others are"


def test_nothing_wanted_is_no_main_file() -> None:
    assert main_file([]) is None
    assert main_file([job_file(wanted=False)]) is None
