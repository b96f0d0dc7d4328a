"""What is asked of a conversion, and how a job without a torrent goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from htdl.config import Conversion as Settings
from htdl.core import conversion, converting, naming
from htdl.core.schedule import Action, Cancel, Complete, Convert, Facts, Fail, Limits, Pause, Queue, decide
from htdl.core.service import Service
from htdl.errors import BadRequest, ConversionFailed, Refused
from htdl.jobs import FileRequest, Job, State, Wanted, Wish, can_move
from htdl.media.plan import Target
from htdl.torrent.api import Finished
from tests.clips import clip
from tests.core.examples import NOW, new_job, new_metadata
from tests.core.world import running_world
from tests.tools import require

FULL = Limits(max_active=0, room=-1, metadata_seconds=60, stall_seconds=300)  # no torrent could begin
FAULT = ("conversion_failed", "it broke")
MADE, UNMADE = Facts(), Facts(is_converted=False)


def local(**changes: object) -> Job:
    return new_job(**({"info_hash": "", "metadata_at": NOW} | changes))


@pytest.mark.parametrize(
    ("job", "facts", "action"),
    [
        (local(), UNMADE, Convert),
        (local(wish=Wish.PAUSE), UNMADE, Pause),
        (local(wish=Wish.CANCEL), UNMADE, Cancel),
        (local(status=State.PAUSED), UNMADE, Queue),
        (local(status=State.PAUSED, wish=Wish.PAUSE), UNMADE, None),
        (local(status=State.CONVERTING), UNMADE, None),
        (local(status=State.CONVERTING, wish=Wish.PAUSE), UNMADE, Pause),
        (local(status=State.CONVERTING), MADE, Complete),
        (local(status=State.CONVERTING), Facts(is_converted=False, conversion_fault=FAULT), Fail),
        (local(status=State.COMPLETED), MADE, None),
        (local(status=State.COMPLETED), UNMADE, None),
    ],
)
def test_a_job_without_a_torrent_waits_for_no_slot_and_no_room_for_one(
    job: Job, facts: Facts, action: type[Action] | None
) -> None:
    assert [type(x) for x in decide([job], {job.id: facts}, FULL)] == ([action] if action else [])


def test_it_takes_no_slot_from_another() -> None:
    limits = Limits(max_active=1, room=10_000, metadata_seconds=60, stall_seconds=300)
    actions = decide([local(), new_job(2)], {}, limits)
    assert [(type(x).__name__, x.job_id) for x in actions] == [
        ("Convert", local().id),
        ("Start", new_job(2).id),
    ]


@pytest.mark.parametrize("status", [State.PENDING, State.COMPLETED, State.FAILED])
def test_what_needs_no_download_is_converted_at_once(status: State) -> None:
    assert can_move(status, State.CONVERTING)


@pytest.mark.parametrize(
    ("wanted", "target"),
    [
        (None, Target("mp4", "av1")),
        (Wanted(), Target("mp4", "av1")),
        (Wanted(format="mp4"), Target("mp4", "av1")),
        (Wanted(format="webm"), Target("webm", "vp9")),
        (Wanted(codec="vp9"), Target("mp4", "vp9")),
        (Wanted(format="webm", codec="av1"), Target("webm", "av1")),
        (Wanted(format="original"), Target("original", "h264")),
    ],
)
def test_what_is_not_said_is_as_configured(wanted: Wanted | None, target: Target) -> None:
    assert conversion.target_for(Settings(target_format="mp4", target_codec="av1"), wanted) == target


@pytest.mark.parametrize("wanted", [None, Wanted(), Wanted(format="webm")])
def test_webm_alone_is_enough_to_be_configured(wanted: Wanted | None) -> None:
    settings = Settings(target_format="webm")
    assert conversion.target_for(settings, wanted) == Target("webm", "vp9")
    settings = Settings(target_format="webm", target_codec="av1")
    assert conversion.target_for(settings, wanted) == Target("webm", "av1")


def test_who_asks_for_a_conversion_gets_one_where_files_are_kept_as_they_are() -> None:
    settings = Settings(target_format="original")
    assert conversion.target_for(settings, None).format == "original"
    assert conversion.target_for(settings, Wanted()) == Target("mp4", "h264")


@pytest.mark.parametrize(
    ("output", "suffix", "is_so"),
    [
        ("/videos/7/film.mp4", ".mp4", True),
        ("/videos/7/film.mp4", ".webm", False),
        ("/elsewhere/film.mp4", ".mp4", False),
        ("/videos/7/film.mkv", "", True),  # kept as it is
    ],
)
def test_an_earlier_result_is_replaced_by_one_of_its_kind_in_its_place(
    output: str, suffix: str, is_so: bool
) -> None:
    assert naming.fits(output, Path("/videos/7"), "a/film.mkv", suffix) is is_so


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(format="avi"),
        Wanted(codec="hevc"),
        Wanted(audio=("x/y",)),
        Wanted(audio=("",)),
        Wanted(audio=("en",) * 21),
        Wanted(output="films"),
        Wanted(output="/a\0b"),
        Wanted(output="/" + "a" * 4096),
    ],
)
def test_what_makes_no_sense_is_refused(wanted: Wanted) -> None:
    with pytest.raises(BadRequest):
        converting.check(wanted)


def test_what_makes_sense_is_taken() -> None:
    converting.check(Wanted(format="webm", codec="av1", audio=("en", "deu", "pt-BR"), output="/films"))


def test_of_a_folder_that_cannot_be_looked_at_the_one_above_it_counts(tmp_path: Path) -> None:
    converting.check_folder(
        str(tmp_path / ("x" * 300) / "videos")
    )  # File name too long, as Permission denied
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="is no folder"):
        converting.check_folder(str(tmp_path / "file" / ("x" * 300)))


def test_the_job_of_a_file_knows_what_is_wanted_of_it() -> None:
    request = FileRequest(path="/own/link", format="webm", audio=("deu",), keep=True, priority=2)
    job, file = converting.local_job(request, Path("/own/film.mkv"), 900, NOW)
    assert job.wanted == Wanted(format="webm", audio=("deu",), keep=True)
    assert (job.is_local, job.has_metadata, job.priority) == (True, True, 2)
    assert (Path(job.save_path) / file.path, job.source) == (Path("/own/film.mkv"), "/own/film.mkv")
    assert (file.size, file.progress, job.total_bytes) == (900, 100.0, 900)


@pytest.mark.parametrize(
    "asked",
    [lambda service, job: service.retry(job), lambda service, job: service.cancel(job, delete=True)],
    ids=["retry", "cancel"],
)
async def test_what_is_asked_while_a_video_is_looked_into_is_not_undone(
    asked: Callable[[Service, str], Coroutine[Any, Any, object]], tmp_path: Path
) -> None:
    looks, may_end = tmp_path / "looks", tmp_path / "may-end"
    slow = tmp_path / "ffprobe"
    rest = f"touch {looks}; until [ -e {may_end} ]; do sleep 0.05; done"
    slow.write_text(
        f'#!/bin/sh\n{require("ffprobe")} "$@" || exit\ncase " $* " in *" -show_streams "*) {rest};; esac\n'
    )
    slow.chmod(0o755)
    film = clip(tmp_path, "mkv", seconds=1)
    settings = {"enabled": False, "ffprobe_path": str(slow)}
    async with running_world(tmp_path, conversion=settings) as world:
        job = await world.downloading("film", new_metadata(("film.mkv", film.stat().st_size)))
        Path(job.save_path).mkdir(parents=True, exist_ok=True)
        Path(job.save_path, "film.mkv").write_bytes(film.read_bytes())
        world.engine.listener(Finished(job.id, frozenset({0}), b"whole"))
        await world.until_status(job.id, State.COMPLETED)
        converting_it = asyncio.create_task(world.service.convert(job.id, Wanted(format="webm")))
        await world.until(looks.exists)
        await asked(world.service, job.id)
        may_end.touch()
        with pytest.raises((Refused, ConversionFailed)):  # the file may be gone before it is looked into
            await converting_it
        row = await world.row(job.id)
        assert row
        assert row.wanted is None
        assert row.status is not State.CONVERTING
