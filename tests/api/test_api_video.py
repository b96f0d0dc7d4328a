"""What a player hears of a video that is whole: each form of range, and conditions (RFC 9110)."""

from __future__ import annotations

import email.policy
import random
from email.utils import parsedate_to_datetime

import pytest

from tests.api.playing import BYTES, EXTRA, NAME, SIZE, Answer, Playing

LAST = SIZE - 1


def parts_of(answer: Answer) -> list[tuple[str, str, bytes]]:
    """Content-Type, Content-Range and bytes of each part of a multipart/byteranges."""
    head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.body, policy=email.policy.HTTP)
    assert not message.defects
    boundary = message.get_boundary()
    pieces = answer.body.split(f"\r\n--{boundary}".encode())
    assert pieces[0] == b""
    assert pieces[-1] == b"--\r\n"
    found = []
    for piece in pieces[1:-1]:
        fields, _, data = piece.partition(b"\r\n\r\n")
        names = dict(line.split(b": ", 1) for line in fields.strip().split(b"\r\n"))
        found.append((names[b"Content-Type"].decode(), names[b"Content-Range"].decode(), data))
    return found


def test_without_a_range_it_is_all_there(whole: Playing) -> None:
    answer = whole.get()
    assert (answer.status, answer.body) == (200, BYTES)
    assert answer.headers["Content-Length"] == str(SIZE)
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert "Content-Range" not in answer.headers


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-", range(SIZE)),
        ("bytes=0-0", range(1)),
        ("bytes=0-999", range(1000)),
        ("bytes=777-", range(777, SIZE)),
        (f"bytes={LAST}-", range(LAST, SIZE)),
        (f"bytes=100-{SIZE * 5}", range(100, SIZE)),
        ("bytes=-1", range(LAST, SIZE)),
        ("bytes=-5000", range(SIZE - 5000, SIZE)),
        (f"bytes=-{SIZE * 5}", range(SIZE)),
        ("bytes=10-19,20-29", range(10, 30)),
        ("BYTES = 5-9", range(5, 10)),
        (f"bytes=5-9,{SIZE}-", range(5, 10)),
    ],
)
def test_a_range_is_that_part(whole: Playing, asked: str, part: range) -> None:
    answer = whole.get(Range=asked)
    assert (answer.status, answer.body) == (206, BYTES[part.start : part.stop])
    assert answer.headers["Content-Range"] == f"bytes {part.start}-{part.stop - 1}/{SIZE}"
    assert answer.headers["Content-Length"] == str(len(part))


@pytest.mark.parametrize(
    "asked", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 9}", "bytes=-0", "bytes=99999999999-"]
)
def test_a_range_beyond_the_end_is_told_the_size(whole: Playing, asked: str) -> None:
    answer = whole.get(Range=asked)
    assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{SIZE}")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    "asked", ["bytes=9-5", "bytes=a-b", "lines=0-9", "bytes", "bytes=", "bytes=--5", "0-9"]
)
def test_a_range_that_is_none_is_ignored(whole: Playing, asked: str) -> None:
    assert whole.get(Range=asked).status == 200


def test_several_ranges_come_as_parts(whole: Playing) -> None:
    answer = whole.get(Range="bytes=0-99,5000-5999,-10")
    assert answer.status == 206
    assert "Content-Range" not in answer.headers
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert parts_of(answer) == [
        ("video/x-matroska", f"bytes 0-99/{SIZE}", BYTES[:100]),
        ("video/x-matroska", f"bytes 5000-5999/{SIZE}", BYTES[5000:6000]),
        ("video/x-matroska", f"bytes {SIZE - 10}-{LAST}/{SIZE}", BYTES[-10:]),
    ]


def test_head_tells_what_get_would_and_sends_nothing(whole: Playing) -> None:
    head, full = whole.get(method="HEAD"), whole.get()
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Length", "Content-Type", "ETag", "Accept-Ranges", "Last-Modified"):
        assert head.headers[name] == full.headers[name]


def test_head_knows_no_ranges(whole: Playing) -> None:
    answer = whole.get(method="HEAD", Range="bytes=5-9")
    assert (answer.status, answer.headers["Content-Length"]) == (200, str(SIZE))


def test_what_is_known_is_not_sent_again(whole: Playing) -> None:
    first = whole.get(Range="bytes=0-9").headers
    tag, date = first["ETag"], first["Last-Modified"]
    for field in ({"If_None_Match": tag}, {"If_None_Match": f'"x", W/{tag}'}, {"If_Modified_Since": date}):
        answer = whole.get(**field)
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", tag)
        assert "Content-Disposition" not in answer.headers


def test_another_video_than_the_one_asked_for_is_refused(whole: Playing) -> None:
    for field in ({"If_Match": '"other"'}, {"If_Unmodified_Since": "Mon, 01 Jan 2001 00:00:00 GMT"}):
        assert whole.get(**field).status == 412


def test_if_range_counts_when_it_is_this_video(whole: Playing) -> None:
    known = whole.get(Range="bytes=0-9").headers
    for validator, status in ((known["ETag"], 206), (known["Last-Modified"], 206), ('"other"', 200)):
        assert whole.get(Range="bytes=0-9", If_Range=validator).status == status
    assert whole.get(Range="bytes=0-9", If_Range="W/" + known["ETag"]).status == 200


def test_the_headers_say_what_it_is_and_guard_it(whole: Playing) -> None:
    headers = whole.get(Range="bytes=0-9").headers
    assert headers["Content-Type"] == "video/x-matroska"
    assert headers["Content-Disposition"] == (
        'inline; filename="The _Film_ _ 100 _ _;.mkv"; '
        "filename*=UTF-8''The%20%22Film%22%20%E2%80%93%20100%20%25%20%C3%A9%3B.mkv"
    )
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Server"] == "htdl"
    assert parsedate_to_datetime(headers["Last-Modified"])
    assert not [name for name in headers if name.lower().startswith("access-control")]


def test_each_file_of_the_torrent_has_its_own_address(whole: Playing) -> None:
    answer = whole.get(whole.target(EXTRA))
    assert (answer.status, len(answer.body), answer.headers["Content-Type"]) == (200, 1000, "video/mp4")
    assert answer.headers["ETag"] != whole.get(method="HEAD").headers["ETag"]


@pytest.mark.parametrize(
    "name", ["", "x", "a/b/c.mkv", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "%ff%00", NAME[:3], "?a=b#c"]
)
def test_the_name_in_the_address_is_for_people(whole: Playing, name: str) -> None:
    assert whole.get(whole.target(name=name.replace(" ", "%20"))).body == BYTES


def test_the_tag_is_the_same_before_and_after(playing: Playing) -> None:
    before = playing.get(method="HEAD").headers
    playing.finish()
    assert playing.get(method="HEAD").headers["ETag"] == before["ETag"]
    assert "Last-Modified" not in before


def test_any_random_range_is_exact(whole: Playing) -> None:
    chance = random.Random(5)
    for _ in range(50):
        first, last = sorted(chance.sample(range(SIZE), 2))
        assert whole.get(Range=f"bytes={first}-{last}").body == BYTES[first : last + 1]
