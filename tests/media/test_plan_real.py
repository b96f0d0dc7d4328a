"""Each container and codec through the real ffmpeg: what comes out is what browsers play."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from htdl.media.plan import Plan, Target, plan
from htdl.media.probe import Probe, parse
from tests.formats import AUDIO, CASES, NONE, REMUX, SECONDS, TRANSCODE, X264, X265, Case, ffmpeg, made
from tests.tools import require

HAS = frozenset({"libx264", "aac", "libopus", "libvpx-vp9", "libsvtav1", "zscale", "tonemap", "bwdif"})


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plans")


def probed(path: Path) -> Probe:
    command = [require("ffprobe"), "-v", "error", "-of", "json", "-show_format", "-show_streams", str(path)]
    return parse(subprocess.run(command, capture_output=True, timeout=60, check=True).stdout)


def converted(source: Path, made_plan: Plan, target: Path | None, playlist: Path | None = None) -> None:
    ffmpeg(*made_plan.input_arguments, "-i", f"file:{source}", *made_plan.outputs(target, playlist))


def codecs(probe: Probe) -> str:
    return " ".join(x.codec for x in probe.streams)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_comes_out_plays_in_every_browser(case: Case, folder: Path) -> None:
    source = made(case, folder)
    before = probed(source)
    planned = plan(before, Target(), has=HAS)
    assert planned.effort is case.effort, planned.reason
    result = source
    if planned.effort is not NONE:
        result = folder / f"{source.stem}.out{planned.suffix}"
        converted(source, planned, result)
    after = probed(result)
    assert codecs(after) == case.into
    assert after.duration == pytest.approx(before.duration, abs=0.3)
    again = plan(after, Target(), has=HAS)
    assert again.effort is NONE, again.reason


def is_faststart(path: Path) -> bool:
    data = path.read_bytes()
    return 0 < data.find(b"moov") < data.find(b"mdat")


@pytest.mark.parametrize("folder_name", ["plain", "it's a|b [c]: d\\e"])
@pytest.mark.parametrize(
    ("case", "target"),
    [
        (Case(".mkv", X264, "ac3", AUDIO, "h264 aac"), Target()),
        (Case(".mkv", X265, "ac3", TRANSCODE, "h264 aac"), Target()),
        (Case(".mkv", X265, "", TRANSCODE, "h264"), Target()),
        (Case(".mkv", X265, "ac3", TRANSCODE, "vp9 opus"), Target("webm", "vp9")),
        (Case(".mkv", X265, "ac3", TRANSCODE, "av1 aac"), Target("mp4", "av1")),
    ],
    ids=["sound", "picture", "silent", "webm", "av1"],
)
def test_a_viewer_has_a_playlist_of_the_same_film(
    case: Case, target: Target, folder: Path, tmp_path: Path, folder_name: str
) -> None:
    source = made(case, folder)
    planned = plan(probed(source), target, has=HAS)
    into = tmp_path / folder_name
    (into / "hls").mkdir(parents=True)
    result, playlist = into / f"film{planned.suffix}", into / "hls" / "index.m3u8"
    converted(source, planned, result, playlist)
    for path in (result, playlist):
        after = probed(path)
        assert codecs(after) == case.into
        assert after.duration == pytest.approx(SECONDS, abs=0.3)
    assert planned.suffix == ".webm" or is_faststart(result)
    assert "#EXT-X-ENDLIST" in playlist.read_text()
    assert not list(into.rglob("*.tmp"))


@pytest.mark.parametrize(
    "case",
    [
        *(case for case in CASES if case.effort not in {NONE, AUDIO}),
        Case(".avi", "mpeg4", "libmp3lame", TRANSCODE, "h264 mp3"),
        Case(".ts", "mpeg2video", "aac", TRANSCODE, "h264 aac"),
        Case(".ts", "mpeg2video", "libmp3lame", TRANSCODE, "h264 mp3"),
        Case(".ts", X264, "aac", REMUX, "h264 aac"),
    ],
    ids=lambda case: case.name,
)
def test_nothing_of_an_old_container_stands_in_the_way_of_a_playlist(
    case: Case, folder: Path, tmp_path: Path
) -> None:
    source = made(case, folder)
    planned = plan(probed(source), Target(), has=HAS)
    result, playlist = tmp_path / f"film{planned.suffix}", tmp_path / "index.m3u8"
    converted(source, planned, result, playlist)
    assert codecs(probed(result)) == case.into == codecs(probed(playlist))


def test_a_viewer_alone_costs_no_second_file(folder: Path, tmp_path: Path) -> None:
    source = made(Case(".mkv", X264, "aac", REMUX, "h264 aac"), folder)
    planned = plan(probed(source), Target(), has=HAS)
    converted(source, planned, None, tmp_path / "index.m3u8")
    assert codecs(probed(tmp_path / "index.m3u8")) == "h264 aac"
    assert {x.suffix for x in tmp_path.iterdir() if x.is_file()} == {".m3u8", ".m4s", ".mp4"}
    assert (tmp_path / "init.mp4").exists()


def test_a_playlist_that_cannot_be_written_does_not_stop_the_result(folder: Path, tmp_path: Path) -> None:
    source = made(Case(".mkv", X265, "aac", TRANSCODE, "h264 aac"), folder)
    planned = plan(probed(source), Target(), has=HAS)
    result = tmp_path / "film.mp4"
    command = [require("ffmpeg"), "-nostdin", "-v", "fatal", *planned.input_arguments, "-i", f"file:{source}"]
    command += planned.outputs(result, tmp_path / "missing" / "index.m3u8")
    ran = subprocess.run(command, timeout=60, check=False)
    assert ran.returncode == 0
    assert codecs(probed(result)) == "h264 aac"


def several(folder: Path) -> Path:
    """Two languages and a commentary, a cover, subtitles and chapters."""
    path = folder / "several.mkv"
    words, chapters, cover = folder / "words.srt", folder / "chapters.txt", folder / "cover.png"
    words.write_text("1\n00:00:00,000 --> 00:00:01,000\nHello.\n")
    chapters.write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=1\ntitle=One\n")
    ffmpeg("-f", "lavfi", "-i", "color=red:size=64x64", "-frames:v", 1, cover)
    sine = ["-f", "lavfi", "-i", f"sine=duration={SECONDS}"]
    ffmpeg(
        *("-f", "lavfi", "-i", f"testsrc2=size=160x120:rate=25:duration={SECONDS}", *sine),
        *("-i", words, "-i", chapters, "-attach", cover, "-metadata:s:t", "mimetype=image/png"),
        *("-map", 0, "-map", 1, "-map", 1, "-map", 1, "-map", 2, "-map_chapters", 3),
        *("-c:v", *X264.split(), "-c:a:0", "aac", "-c:a:1", "ac3", "-c:a:2", "aac", "-c:s", "srt"),
        *(
            "-metadata:s:a:0",
            "language=eng",
            "-metadata:s:a:1",
            "language=jpn",
            "-metadata:s:a:1",
            "title=a:b",
        ),
        *("-disposition:a:0", "comment", "-disposition:a:1", "default", path),
    )
    return path


def test_sounds_keep_their_order_language_and_part(folder: Path, tmp_path: Path) -> None:
    source = several(folder)
    planned = plan(probed(source), Target(), has=HAS)
    converted(source, planned, tmp_path / "film.mp4")
    found = probed(tmp_path / "film.mp4")
    assert [(x.codec, x.language, x.is_default) for x in found.audio] == [
        ("aac", "jpn", True),
        ("aac", None, False),
        ("aac", "eng", False),
    ]
    assert [x.kind for x in found.streams if x.kind != "data"] == ["video", "audio", "audio", "audio"]


def test_a_rotation_outlives_a_copy_and_is_carried_out_by_an_encoder(folder: Path, tmp_path: Path) -> None:
    upright = made(Case(".mp4", X264, "ac3", AUDIO, "h264 aac"), folder)
    lying = folder / "lying.mp4"
    ffmpeg("-i", upright, "-c", "copy", "-metadata:s:v:0", "rotate=90", lying)
    before = probed(lying).video
    assert before
    if not before.rotation:
        pytest.skip("an ffmpeg of 7.0 or newer does not write it so")
    for name, target in (("copied.mp4", Target()), ("encoded.webm", Target("webm", "vp9"))):
        converted(lying, plan(probed(lying), target, has=HAS), tmp_path / name)
    copied, encoded = (probed(tmp_path / name).video for name in ("copied.mp4", "encoded.webm"))
    assert copied
    assert encoded
    assert (copied.rotation, copied.width, copied.height) == (before.rotation, 160, 120)
    assert (encoded.rotation, encoded.width, encoded.height) == (0, 120, 160)


def test_a_folder_with_a_percent_sign_is_entered(folder: Path, tmp_path: Path) -> None:
    source = made(Case(".mkv", X265, "ac3", TRANSCODE, "h264 aac"), folder)
    planned = plan(probed(source), Target(), has=HAS)
    (tmp_path / "100% %03d").mkdir()
    arguments = planned.outputs(tmp_path / "100% %03d" / "film.mp4", Path("index.m3u8"))
    command = [require("ffmpeg"), "-nostdin", "-v", "error", "-i", f"file:{source}", *arguments]
    subprocess.run(command, cwd=tmp_path / "100% %03d", timeout=60, check=True)
    for name in ("film.mp4", "index.m3u8"):
        assert codecs(probed(tmp_path / "100% %03d" / name)) == "h264 aac"


def test_frames_that_come_at_their_own_times_are_neither_doubled_nor_lost(
    folder: Path, tmp_path: Path
) -> None:
    source = folder / "uneven.mkv"
    uneven = "testsrc2=size=160x120:rate=50:duration=2,select=not(mod(n\\,7))+not(mod(n\\,11))"
    ffmpeg("-f", "lavfi", "-i", uneven, "-fps_mode", "vfr", "-c:v", *X265.split(), source)
    planned = plan(probed(source), Target(), has=HAS)
    converted(source, planned, tmp_path / "film.mp4", tmp_path / "index.m3u8")
    assert frame_times(tmp_path / "film.mp4") == pytest.approx(frame_times(source), abs=0.01)


def frame_times(path: Path) -> list[float]:
    command = [require("ffprobe"), "-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time"]
    done = subprocess.run([*command, "-of", "csv=p=0", path], capture_output=True, text=True, check=True)
    times = sorted(float(x.strip(",")) for x in done.stdout.split())
    return [x - times[0] for x in times]
