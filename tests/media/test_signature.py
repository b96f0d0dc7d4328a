"""What a file is by its first bytes: real clips of every kind, and what dresses up as one."""

from __future__ import annotations

import random
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl.errors import ConversionFailed
from htdl.media.probe import refuse_fake
from htdl.media.signature import HEAD_BYTES, UNKNOWN, Signature, identify
from tests.clips import clip, sound


def head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        ("mp4", "mp4"),
        ("mp4-fragmented", "mp4"),
        ("mkv", "matroska"),
        ("webm", "matroska"),
        ("avi", "avi"),
        ("ts", "mpegts"),
        ("m2ts", "mpegts"),
        ("flv", "flv"),
        ("wmv", "asf"),
        ("mpg", "mpeg-ps"),
        ("mov", "mp4"),
        ("ogv", "ogg"),
    ],
)
def test_real_videos(made: str, kind: str, tmp_path: Path) -> None:
    path = clip(tmp_path, made, seconds=1)
    assert identify(head(path)).kind == kind
    refuse_fake(head(path), path.name)


@pytest.mark.parametrize("kind", ["mp3", "flac", "wav", "aac"])
def test_real_sounds(kind: str, tmp_path: Path) -> None:
    assert identify(head(sound(tmp_path, kind))).kind == kind


def test_the_program_that_runs_this_is_none() -> None:
    with pytest.raises(
        ConversionFailed, match=r"film\.mkv is not a video that can be used: it is a .* program"
    ) as e:
        refuse_fake(head(Path(sys.executable)), "film.mkv")
    assert e.value.code == "bad_media"
    assert e.value.hint


def test_real_archives(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    with zipfile.ZipFile(tmp_path / "film.mkv", "w") as archive:
        archive.write(tmp_path / "a.txt")
    with tarfile.open(tmp_path / "film.avi", "w") as tar:
        tar.add(tmp_path / "a.txt", "a.txt")
    assert identify(head(tmp_path / "film.mkv")).words == "a ZIP archive"
    assert identify(head(tmp_path / "film.avi")).words == "a tar archive"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "an empty file"),
        (bytes(4096), "nothing but zeros"),
        (b"MZ\x90\x00\x03", "a Windows program"),
        (b"Rar!\x1a\x07\x01\x00", "a RAR archive"),
        (b"\xef\xbb\xbf#EXTM3U\n#EXTINF:1\n/etc/passwd\n", "a playlist"),
        (b"ffconcat version 1.0\nfile secret.mkv\n", "a playlist"),
        (b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n", "a description of a broadcast"),
        (b"<!DOCTYPE HTML><html>", "a web page"),
        (b"To see this film, install our codec from\r\n", "text"),
        ("Où est la vidéo ?".encode("cp1252"), "text"),
        ("words".encode("utf-16"), "text"),
        (b"#!/bin/sh\nrm -rf\n", "a script"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "a picture"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "a picture"),
        (b"\x00\x01\x02\x03\x04", UNKNOWN.words),
    ],
)
def test_what_is_no_video(data: bytes, words: str) -> None:
    assert identify(data) == Signature(None, words)


def test_random_bytes_are_left_to_the_probe() -> None:
    data = random.Random(7).randbytes(HEAD_BYTES)
    assert identify(data) is UNKNOWN
    refuse_fake(data, "film.mkv")


@given(st.binary(max_size=600))
def test_any_bytes_have_an_answer(data: bytes) -> None:
    assert identify(data).words
