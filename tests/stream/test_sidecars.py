from __future__ import annotations

from htdl.jobs import JobFile
from htdl.stream import sidecars


def files(*paths: str, unwanted: str = "") -> list[JobFile]:
    return [JobFile(index=i, path=path, size=1, wanted=path != unwanted) for i, path in enumerate(paths)]


def paths_of(video: JobFile, all_files: list[JobFile]) -> list[str]:
    return [file.path for file in sidecars.subtitles_of(video, all_files)]


def test_all_subtitles_belong_to_the_only_video() -> None:
    job = files(
        "F/Film.mp4",
        "F/any.srt",
        "F/Subs/2_English.ass",
        "F/cover.jpg",
        "F/sample.mp4",
        unwanted="F/sample.mp4",
    )
    assert paths_of(job[0], job) == ["F/any.srt", "F/Subs/2_English.ass"]


def test_of_several_videos_each_has_those_that_carry_its_name() -> None:
    job = files("S/e1.mkv", "S/e10.mkv", "S/E1.en.srt", "S/e10.vtt", "S/Subs/e1/2_French.srt", "S/other.srt")
    assert paths_of(job[0], job) == ["S/E1.en.srt", "S/Subs/e1/2_French.srt"]
    assert paths_of(job[1], job) == ["S/e10.vtt"]


def test_no_video_has_more_subtitles_than_can_be_shown() -> None:
    film = files("Film.mkv", *(f"{number}.srt" for number in range(500)))
    series = files("a.mkv", "b.mkv", *(f"a.{number}.srt" for number in range(500)))
    for job in (film, series):
        assert len(paths_of(job[0], job)) == sidecars.MOST_SUBTITLES


def test_subtitles_that_are_not_wanted_are_none() -> None:
    job = files("Film.mp4", "Film.srt", unwanted="Film.srt")
    assert paths_of(job[0], job) == []
