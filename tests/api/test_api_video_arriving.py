"""Videos that are still arriving, and clients of all sorts: in time, exact, and nothing left behind."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from htdl.api import sending
from htdl.api.server import MAX_PLAYERS
from tests.api.playing import BYTES, COUNT, HASTY, PIECE, SIZE, Playing
from tests.api.serving import read_all
from tests.waiting import until

FIRST = PIECE - 1000  # bytes of the film in the torrent's first piece


def body_of(data: bytes) -> bytes:
    return data.partition(b"\r\n\r\n")[2]


def read_until(sock: socket.socket, size: int) -> bytes:
    """So many bytes of the body, or all there are."""
    data = b""
    while len(body_of(data)) < size and (chunk := sock.recv(1 << 16)):
        data += chunk
    return data


# what arrives


def test_headers_come_before_the_bytes(playing: Playing) -> None:
    with playing.connect() as sock:
        sock.sendall(playing.head(Range="bytes=5-"))
        assert f"Content-Range: bytes 5-{SIZE - 1}/{SIZE}".encode() in sock.recv(1 << 16)


def test_head_waits_for_nothing(playing: Playing) -> None:
    answer = playing.get(method="HEAD")
    assert (answer.status, answer.headers["Content-Length"]) == (200, str(SIZE))
    assert playing.readers() == 0


def test_no_byte_is_sent_before_its_piece_is_verified(playing: Playing) -> None:
    with playing.connect() as sock:
        sock.sendall(playing.head())
        playing.arrive(0)
        assert body_of(read_until(sock, FIRST)) == BYTES[:FIRST]
        playing.arrive(2)  # of no use before 1
        sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        sock.settimeout(30)
        playing.arrive(1)
        assert read_until(sock, 0) + _exactly(sock, 2 * PIECE) == BYTES[FIRST : FIRST + 2 * PIECE]


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (chunk := sock.recv(size - len(data))):
        data += chunk
    return data


def test_a_reader_far_ahead_asks_for_its_piece_and_gets_it(playing: Playing) -> None:
    with playing.connect() as sock:
        sock.sendall(playing.head(Range=f"bytes={SIZE - 100}-", Connection="close"))
        until(lambda: playing.wanted()[:1] == (COUNT - 1,))
        playing.arrive(COUNT - 1)
        assert body_of(read_all(sock)) == BYTES[-100:]


def test_twenty_readers_at_random_places_get_their_very_bytes(playing: Playing) -> None:
    chance = random.Random(7)
    places = [sorted(chance.sample(range(SIZE + 1), 2)) for _ in range(20)]
    order = list(range(COUNT))
    chance.shuffle(order)
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(playing.get, Range=f"bytes={a}-{b - 1}") for a, b in places]
        for piece in order:
            playing.arrive(piece)
        for (start, stop), answer in zip(places, answers, strict=True):
            assert answer.result().body == BYTES[start:stop]
    until(lambda: playing.readers() == 0)


def test_parts_of_an_arriving_file_come_in_turn(playing: Playing) -> None:
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(playing.get, Range=f"bytes=0-9,{SIZE - 10}-")
        playing.arrive(COUNT - 1)
        until(lambda: playing.readers() == 1)
        playing.arrive(0)
        body = answer.result().body
    assert BYTES[:10] in body
    assert BYTES[-10:] in body


# what does not come


def cut_off(playing: Playing, sent: bytes, caplog: pytest.LogCaptureFixture, why: str) -> None:
    """It ended early with exactly these bytes, nothing reads any more, and one line says so."""
    assert sent == BYTES[: len(sent)]
    assert len(sent) < SIZE
    until(lambda: playing.readers() == 0)
    lines = [x.getMessage() for x in caplog.records if "stream ends early" in x.getMessage()]
    assert len(lines) == 1
    assert f"job={playing.job_id} file=1 range=0-{SIZE - 1} sent={len(sent)} why=" in lines[0]
    assert why in lines[0]


def test_a_stall_ends_the_answer_and_a_later_one_goes_on(
    impatient: Playing, caplog: pytest.LogCaptureFixture
) -> None:
    impatient.arrive(0)
    with impatient.connect() as sock:
        begun = time.monotonic()
        sock.sendall(impatient.head())
        sent = body_of(read_all(sock))
        assert time.monotonic() - begun > HASTY * 0.8
    assert len(sent) == FIRST
    cut_off(impatient, sent, caplog, "did not arrive within 0.5 s")
    impatient.arrive()
    assert impatient.get(Range=f"bytes={FIRST}-").body == BYTES[FIRST:]


def test_a_download_that_is_stopped_ends_the_answer(
    playing: Playing, caplog: pytest.LogCaptureFixture
) -> None:
    playing.arrive(0)
    with playing.connect() as sock:
        sock.sendall(playing.head())
        head = read_until(sock, FIRST)
        playing.let_go()
        cut_off(playing, body_of(head + read_all(sock)), caplog, "stopped")


def test_a_file_that_is_removed_ends_the_answer(playing: Playing, caplog: pytest.LogCaptureFixture) -> None:
    playing.arrive(0)
    with playing.connect() as sock:
        sock.sendall(playing.head())
        head = read_until(sock, FIRST)
        kept = playing.path().read_bytes()
        playing.path().unlink()
        playing.path().write_bytes(kept)  # another file, of the same name
        playing.arrive(1)
        cut_off(playing, body_of(head + read_all(sock)), caplog, "removed")


def test_a_file_that_is_shorter_than_it_should_be_ends_the_answer(
    whole: Playing, caplog: pytest.LogCaptureFixture
) -> None:
    with whole.path().open("r+b") as file:
        file.truncate(5_000_000)
    with whole.connect() as sock:
        sock.sendall(whole.head())
        sent = body_of(read_all(sock))
    assert len(sent) == 5_000_000
    cut_off(whole, sent, caplog, "shorter")


def test_a_whole_file_that_is_gone_is_told_in_words(whole: Playing, caplog: pytest.LogCaptureFixture) -> None:
    whole.path().unlink()
    answer = whole.get()
    assert (answer.status, "htdl retry" in answer.body.decode()) == (404, True)
    assert "stream ends early" in caplog.text


def test_a_video_that_is_not_being_downloaded_is_refused_with_the_next_step(playing: Playing) -> None:
    playing.run(playing.world.service.pause(playing.job_id))
    answer = playing.get()
    assert (answer.status, "htdl resume" in answer.body.decode()) == (409, True)


@pytest.fixture
def no_sendfile(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> int:
        raise OSError(22, "Invalid argument")  # sendfile(2): what the file is on cannot do it

    monkeypatch.setattr("os.sendfile", refuse)  # as a file system that has none does


@pytest.mark.usefixtures("no_sendfile")
def test_where_sendfile_cannot_be_used_the_bytes_are_copied(whole: Playing) -> None:
    assert whole.get().body == BYTES
    assert whole.get(Range=f"bytes={SIZE - 9}-").body == BYTES[-9:]


# clients that go, or do not come


def test_a_client_that_hangs_up_frees_its_window_at_once(playing: Playing) -> None:
    playing.arrive(0)
    with playing.connect() as sock:
        sock.sendall(playing.head())
        read_until(sock, FIRST)
        assert playing.readers() == 1
    until(lambda: playing.readers() == 0)  # long before the next byte is given up


def test_a_client_that_closes_its_half_has_hung_up(playing: Playing) -> None:
    with playing.connect() as sock:
        sock.sendall(playing.head())
        until(lambda: playing.readers() == 1)
        sock.shutdown(socket.SHUT_WR)
        assert body_of(read_all(sock)) == b""
    until(lambda: playing.readers() == 0)


def test_a_hundred_that_seek_and_hang_up_leave_nothing(playing: Playing) -> None:
    for number in range(100):
        with playing.connect() as sock:
            sock.sendall(playing.head(Range=f"bytes={number * 1000}-"))
            sock.recv(1)
    until(lambda: playing.readers() == 0)


def test_a_client_that_does_not_read_holds_nobody_up(whole: Playing) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            sock = stack.enter_context(whole.connect())
            sock.sendall(whole.head())
        assert whole.get().body == BYTES  # within the patience of `get`


def test_a_client_that_takes_nothing_for_too_long_is_dropped(
    whole: Playing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "STUCK_SECONDS", 0.2)  # an hour otherwise
    with whole.connect() as sock:
        sock.sendall(whole.head())
        assert select.select([sock], [], [], 30)[0]  # it has begun, and nothing is taken of it
        until(lambda: _connections(whole) == 0)


@pytest.mark.usefixtures("no_sendfile")
def test_a_client_that_takes_no_copies_is_dropped(whole: Playing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here bytes wait in the connection's own buffer, which a mere close would try to send first."""
    test_a_client_that_takes_nothing_for_too_long_is_dropped(whole, monkeypatch)


def _connections(playing: Playing) -> int:
    async def count() -> int:
        door = playing.server._door
        assert door
        assert door._runner.server
        return len(door._runner.server.connections)

    return playing.run(count())


def test_a_slow_client_gets_it_all(whole: Playing) -> None:
    with whole.connect() as sock:
        sock.sendall(whole.head(Connection="close"))
        data = b""
        while chunk := sock.recv(1 << 16):
            data += chunk
            time.sleep(0.001)  # the slowness is the case
    assert body_of(data) == BYTES


def test_a_hundred_at_once_are_served(whole: Playing) -> None:
    def ask(number: int) -> bool:
        start = number * 20_000
        return whole.get(Range=f"bytes={start}-{start + 99_999}").body == BYTES[start : start + 100_000]

    with ThreadPoolExecutor(100) as pool:
        assert all(pool.map(ask, range(100)))


def test_no_more_are_connected_than_there_is_room_for(whole: Playing) -> None:
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(whole.connect()) for _ in range(MAX_PLAYERS + 20)]
        assert [read_all(sock) for sock in many[MAX_PLAYERS:]] == [b""] * 20
        many[0].close()
        until(lambda: _connections(whole) < MAX_PLAYERS)
        assert whole.get(Range="bytes=0-9").status == 206


# HTTP


def test_a_connection_is_kept_for_the_next_request(whole: Playing) -> None:
    with whole.connect() as sock:
        for start in (0, 1000, 5):
            sock.sendall(whole.head(Range=f"bytes={start}-{start + 9}"))
            assert body_of(read_until(sock, 10)) == BYTES[start : start + 10]


def test_a_connection_is_closed_once_nothing_more_is_asked(impatient: Playing) -> None:
    impatient.finish()
    begun = time.monotonic()
    with impatient.connect() as sock:
        sock.sendall(impatient.head(Range="bytes=0-9"))
        assert body_of(read_all(sock)) == BYTES[:10]
    assert time.monotonic() - begun > HASTY * 0.8


def test_requests_in_one_go_are_answered_in_order(whole: Playing) -> None:
    with whole.connect() as sock:
        asked = [range(9, 5_000_000), range(3), range(SIZE - 70_000, SIZE), range(1)]
        heads = [whole.head(Range=f"bytes={part.start}-{part.stop - 1}") for part in asked]
        sender = threading.Thread(
            target=sock.sendall, args=(b"".join(heads) + whole.head(method="HEAD", Connection="close"),)
        )
        sender.start()
        rest = read_all(sock)
        sender.join()
    for part in asked:
        head, _, rest = rest.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 206")
        assert rest[: len(part)] == BYTES[part.start : part.stop]
        rest = rest[len(part) :]
    assert rest.startswith(b"HTTP/1.1 200")


def test_http_1_0_is_answered_and_closed(whole: Playing) -> None:
    with whole.connect() as sock:
        sock.sendall(whole.head(version="1.0", Range="bytes=5-9"))
        answer = read_all(sock)
    assert answer.startswith(b"HTTP/1.0 206")
    assert body_of(answer) == BYTES[5:10]


def test_a_daemon_that_stops_waits_for_no_player(playing: Playing) -> None:
    playing.arrive(0)
    with playing.connect() as sock:
        sock.sendall(playing.head())
        read_until(sock, FIRST)
        playing.run(playing.server.stop())  # it would wait a minute for the next byte, and `run` does not
        assert read_all(sock) == b""
        assert playing.world.service.links.base_url is None
