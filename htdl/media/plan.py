"""What is to be done so that a video plays in every browser, stream by stream; pure.

By codec, profile, pixel format and container, never by a file's name.  What plays already is copied, for to
copy, to encode the sound and to encode the picture cost as 1 to 13 to 340 (measured).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from htdl.errors import ConversionFailed
from htdl.media import audio_plan, browsers, estimate, leftovers, outputs, video_plan
from htdl.media.probe import Probe, Stream, bad_media
from htdl.media.tracks import Track

ORIGINAL = "original"
_CODECS = {browsers.MP4: {"h264", "vp9", "av1"}, browsers.WEBM: {"vp9", "av1"}}


@dataclass(frozen=True, slots=True)
class Target:
    """`format` is "mp4", "webm" or "original" (keep it as it is); `codec` "h264", "vp9" or "av1".

    `codec` is what a picture becomes that does not play; what plays is never encoded for its sake.
    """

    format: str = browsers.MP4
    codec: str = "h264"


class Effort(StrEnum):
    NONE = "none"  # it plays as it is, or is kept so
    REMUX = "remux"  # streams are copied into another container
    AUDIO = "audio"  # a sound is encoded, the picture copied
    TRANSCODE = "transcode"  # the picture is encoded


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPlan:
    """`becomes` is its codec in the result, None where it is left out; `reason` is for people."""

    index: int
    kind: str
    codec: str
    becomes: str | None
    is_copied: bool
    reason: str
    language: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`seconds` of CPU and `bytes` of the result are estimates, None where nothing tells them.

    `input_arguments` stand before the input's own; `arguments` choose and encode what is kept, and
    `hls_arguments` what a viewer gets: the picture and the default sound.  `outputs` puts them together.

    `while_downloading`: whether it can begin before the source is whole.  Every container can, for each is
    read from its beginning once its index is here, wherever that lies; where there is nothing to do it is
    False.  `suffix` is that of the result, "" where it is the source itself.
    """

    effort: Effort
    reason: str
    streams: tuple[StreamPlan, ...]
    container: str
    suffix: str
    input_arguments: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    hls_arguments: tuple[str, ...] = ()
    seconds: float | None = None
    bytes: int | None = None
    while_downloading: bool = False
    warnings: tuple[str, ...] = ()

    def outputs(self, target: Path | None, playlist: Path | None = None) -> list[str]:
        """What follows the input: the result at `target`, a growing HLS playlist at `playlist`, or both.

        The segments and init.mp4 come to lie beside the playlist.  Its folder may have no % in its path, or
        is ffmpeg's working folder and left out of `playlist`: ffmpeg would take it for a number's place.
        """
        if target and playlist and self.effort is Effort.TRANSCODE:
            has_sound = any(x.kind == "audio" and x.becomes for x in self.streams)
            shown = "v:0,a:0" if has_sound else "v:0"
            return [*self.arguments, *outputs.both(self.container, target, playlist, shown)]
        kept = [*self.arguments, *outputs.kept(self.container, target)] if target else []
        return kept + ([*self.hls_arguments, *outputs.shown(playlist)] if playlist else [])


def plan(probe: Probe, target: Target, *, has: frozenset[str], audio: tuple[str, ...] = ()) -> Plan:
    """`has`: the encoders and filters of this ffmpeg; `audio`: the languages to keep, all if empty.

    Raises ConversionFailed: bad_media where there is neither picture nor sound, or a picture that cannot be
    told; conversion_failed where the target makes no sense, an encoder is missing, or no sound is in a wanted
    language.
    """
    film = _film(probe)
    if film is None and not any(x.codec for x in probe.audio):
        raise bad_media("the file", "it holds neither video nor audio")
    if film is None and probe.video is not None:
        raise bad_media("the file", "its picture is of a kind that is not known")
    if target.format == ORIGINAL:
        return _kept(probe, "kept as it is, as asked for")
    if target.codec not in _CODECS.get(target.format, ()):
        raise ConversionFailed(
            f"{target.format} with {target.codec} cannot be made",
            hint="choose mp4 with h264, vp9 or av1, webm with vp9 or av1, or original",
        )
    sounds = audio_plan.chosen(probe.audio, audio)
    container = _container(probe, film, sounds, target)
    tracks = _tracks(film, sounds, container, target, has)
    if _plays(probe, container, tracks):
        return _kept(probe, "plays in every browser as it is")
    return _made(probe, container, tracks)


def _film(probe: Probe) -> Stream | None:
    """The first picture that moves; some files have a still before it that is not marked as a cover."""
    pictures = [x for x in probe.streams if x.kind == "video" and not x.is_cover and x.codec]
    return next((x for x in pictures if x.codec not in leftovers.STILLS), next(iter(pictures), None))


def _container(probe: Probe, film: Stream | None, sounds: tuple[Stream, ...], target: Target) -> str:
    """MP4, but for a picture that plays and that only WebM holds, or that is in WebM with all its sounds."""
    if target.format == browsers.WEBM or film is None or browsers.picture_fault(film, browsers.WEBM):
        return target.format
    is_there = browsers.CONTAINERS.get(probe.container) == browsers.WEBM and all(
        browsers.sound_fault(x, browsers.WEBM, film.codec) is None for x in sounds
    )
    return browsers.WEBM if is_there or film.codec not in browsers.VIDEO[browsers.MP4] else browsers.MP4


def _tracks(
    film: Stream | None, sounds: tuple[Stream, ...], container: str, target: Target, has: frozenset[str]
) -> list[Track]:
    """In the order of the result: the picture, then the sounds."""
    pictures = [video_plan.picture(film, container, target.codec, has)] if film else []
    beside = pictures[0].becomes if pictures else None
    return pictures + [audio_plan.sound(x, container, beside, has) for x in sounds]


def _plays(probe: Probe, container: str, tracks: list[Track]) -> bool:
    """Nothing is to be encoded, left out or reordered; the container is right, and tells its length."""
    sounds = [x.stream for x in tracks if x.stream.kind == "audio"]
    return (
        browsers.CONTAINERS.get(probe.container) == container
        and probe.duration is not None
        and all(x.is_copied for x in tracks)
        and sounds == list(audio_plan.chosen(probe.audio, ()))
        and len(sounds) == len(probe.audio)
    )


def _kept(probe: Probe, reason: str) -> Plan:
    container = browsers.CONTAINERS.get(probe.container, browsers.MP4)
    return Plan(
        effort=Effort.NONE,
        reason=reason,
        streams=tuple(_stream(x, x.codec, True, leftovers.stays(x)) for x in probe.streams),
        container=container,
        suffix="",
        seconds=0.0,
        bytes=probe.size,
        warnings=leftovers.warnings(probe),
    )


def _made(probe: Probe, container: str, tracks: list[Track]) -> Plan:
    effort = _effort(tracks)
    film = next((x for x in tracks if x.stream.kind == "video"), None)
    sounds = [x for x in tracks if x.stream.kind == "audio"]
    return Plan(
        effort=effort,
        reason=_reason(probe, effort, tracks),
        streams=_streams(probe, tracks),
        container=container,
        suffix=browsers.SUFFIXES[container],
        input_arguments=("-fflags", "+genpts"),  # AVI and old MPEG streams lack times
        arguments=outputs.chosen(film, sounds),
        hls_arguments=outputs.chosen(film, sounds[:1]),
        seconds=estimate.seconds(probe, tracks),
        bytes=estimate.size(probe, tracks),
        while_downloading=True,
        warnings=(*(x for track in tracks for x in track.warnings), *leftovers.warnings(probe)),
    )


def _effort(tracks: list[Track]) -> Effort:
    encoded = {x.stream.kind for x in tracks if not x.is_copied}
    if "video" in encoded:
        return Effort.TRANSCODE
    return Effort.AUDIO if encoded else Effort.REMUX


def _reason(probe: Probe, effort: Effort, tracks: list[Track]) -> str:
    if effort is not Effort.REMUX:
        return "; ".join(dict.fromkeys(x.reason for x in tracks if not x.is_copied))
    if probe.duration is None:
        return "its length is not written in it: it is copied into a file where it is"
    return "its streams play, its container does not everywhere: they are copied into another"


def _streams(probe: Probe, tracks: list[Track]) -> tuple[StreamPlan, ...]:
    by_index = {x.stream.index: x for x in tracks}
    return tuple(
        _stream(x, track.becomes, track.is_copied, track.reason)
        if (track := by_index.get(x.index))
        else _stream(x, None, False, leftovers.left_out(x))
        for x in probe.streams
    )


def _stream(stream: Stream, becomes: str | None, is_copied: bool, reason: str) -> StreamPlan:
    return StreamPlan(
        index=stream.index,
        kind=stream.kind,
        codec=stream.codec,
        becomes=becomes,
        is_copied=is_copied,
        reason=reason,
        language=stream.language,
        title=stream.title,
    )
