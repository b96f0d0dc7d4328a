from __future__ import annotations

import base64
import contextlib
import random
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl.errors import BadSource
from htdl.torrent._lt import lt
from htdl.torrent.bounds import (
    MAX_FILES,
    MAX_MAGNET_BYTES,
    MAX_PEERS,
    MAX_TORRENT_BYTES,
    MAX_TRACKERS,
    MAX_WEB_SEEDS,
)
from htdl.torrent.sources import is_url, parse
from tests import torrents
from tests.torrents import bencode, make_info, make_info_v2, make_torrent, with_files

V1 = "c12fe1c06bba254a9dc9f519b335aa7c1367a88a"
V2 = "1220caf1e1c30e81cb361b9ee167c4aa64228a7fa4fa9f6105232b28ad099f3a302e"
MAGNET = f"magnet:?xt=urn:btih:{V1}"


def refusal(source: str | bytes) -> str:
    with pytest.raises(BadSource) as caught:
        parse(source, allow_lan=False)
    assert caught.value.hint
    assert caught.value.message.isprintable()
    return caught.value.message


def loaded(source: str | bytes, *, allow_lan: bool = False) -> Any:
    """What libtorrent is going to be given."""
    return lt.read_resume_data(parse(source, allow_lan=allow_lan).resume)


# --- magnets and info-hashes ---


@pytest.mark.parametrize(
    "text",
    [
        MAGNET,
        MAGNET.upper(),
        f"  {MAGNET}\n",
        f"MAGNET:?XT=URN:BTIH:{V1}",
        f"magnet:?xt=urn%3Abtih%3A{V1}",
        f"magnet:?dn=x&amp;xt=urn:btih:{V1}",
        f"magnet:?xt.1=urn:btih:{V1}",
        f"magnet:?xt=urn:sha1:YNCKHTQCWBTRNJIV4WNAE52SJUQCZO5C&xt=urn:btih:{V1}",
        f"{MAGNET}&xt=urn:btih:{V1}",
        f"magnet:?xt=urn:btih:{base64.b32encode(bytes.fromhex(V1)).decode()}",
        f"magnet:?xt=urn:btih:{base64.b32encode(bytes.fromhex(V1)).decode().lower()}",
        V1,
        V1.upper(),
        f"\t{V1} ",
        base64.b32encode(bytes.fromhex(V1)).decode(),
    ],
)
def test_each_way_to_write_a_v1_hash_names_the_same_torrent(text: str) -> None:
    source = parse(text, allow_lan=False)
    assert (source.info_hash, source.info_hash_v2, source.metadata) == (V1, None, None)
    assert str(lt.read_resume_data(source.resume).info_hashes.v1) == V1


@pytest.mark.parametrize("text", [f"magnet:?xt=urn:btmh:{V2}", V2, V2[4:], V2.upper()])
def test_a_v2_hash_names_a_torrent(text: str) -> None:
    source = parse(text, allow_lan=False)
    assert source.info_hash == source.info_hash_v2 == V2[4:]
    assert str(lt.read_resume_data(source.resume).info_hashes.v2) == V2[4:]


def test_a_hybrid_magnet_has_both_hashes() -> None:
    source = parse(f"{MAGNET}&xt=urn:btmh:{V2}", allow_lan=False)
    assert (source.info_hash, source.info_hash_v2) == (V1, V2[4:])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("magnet:", "no BitTorrent info-hash"),
        ("magnet:?dn=x", "no BitTorrent info-hash"),
        ("magnet:?xt=urn:ed2k:354B15E68FB8F36D7CD88FF94116CDC1", "no BitTorrent info-hash"),
        (f"magnet:?xt=urn:btih:{V1[:-1]}", "wrong length"),
        (f"magnet:?xt=urn:btmh:{V2[4:-2]}", "wrong length"),
        (f"magnet:?xt=urn:btmh:1114{V2[4:]}", "not an info-hash"),
        (f"magnet:?xt=urn:btih:{'g' * 40}", "not an info-hash"),
        (f"magnet:?xt=urn:btih:{'1' * 32}", "not an info-hash"),
        (f"magnet:?xt=urn:btih:{'0' * 40}", "all zeros"),
        (f"magnet:?xt=urn:btih:{'A' * 32}", "all zeros"),
        (f"magnet:?xt=urn:btmh:1220{'0' * 64}", "all zeros"),
        ("0" * 40, "all zeros"),
        (f"{MAGNET}&xt=urn:btih:{'a' * 40}", "several torrents"),
        (MAGNET + "&dn=" + "x" * MAX_MAGNET_BYTES, "more than any magnet"),
        ("ftp://example.org/a.torrent", "'ftp:'"),
        ("file:///etc/passwd", "'file:'"),
        ("http://example.org/a.torrent", "fetched"),
        ("a.torrent", "no magnet, info-hash or URL"),
        ("\x1b[2J\ud800", "no magnet, info-hash or URL"),
        (MAGNET + "&tr=http://t/a" * (MAX_TRACKERS + 1), "trackers"),
        (MAGNET + "&x.pe=1.1.1.1:1" * (MAX_PEERS + 1), "peers"),
        (MAGNET + "&ws=http://w/a" * (MAX_WEB_SEEDS + 1), "web seeds"),
    ],
)
def test_a_text_that_cannot_be_taken_is_refused_with_the_reason(text: str, words: str) -> None:
    assert words in refusal(text)


def test_trackers_are_kept_in_order_with_their_passwords_and_each_once() -> None:
    trackers = [
        "http://u:p@t.example/announce?key=1",
        "udp://t.example:80",
        "https://t.example/a",
        "udp://t.example:80",
    ]
    params = loaded(MAGNET + "".join(f"&tr.{number}={url}" for number, url in enumerate(trackers)))
    assert params.trackers == trackers[:3]
    assert params.tracker_tiers == [0, 1, 2]


@pytest.mark.parametrize(
    "url",
    [
        "ws://t.example/a",
        "wss://t.example/a",
        "WSS://t.example/a",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http://[::1",
        "http://t.example:99999/",
        "http://t.example/%0d%0aHost:%20x",
        "http://t%ff.example/",
        "http://" + "t" * 3000,
        "",
    ],
)
def test_a_tracker_that_is_of_no_use_is_left_out(url: str) -> None:
    assert loaded(f"{MAGNET}&tr={url}&ws={url}&tr=udp://good.example:1").trackers == ["udp://good.example:1"]
    assert loaded(f"{MAGNET}&ws={url}").url_seeds == []


PEERS = "&x.pe=93.184.216.34:6881&x.pe=[2606:4700::1111]:6882"
LOCAL_PEERS = (
    "&x.pe=127.0.0.1:1&x.pe=10.0.0.1:2&x.pe=[::1]:3&x.pe=169.254.169.254:80&x.pe=[::ffff:10.0.0.1]:4"
)


def test_peers_on_local_addresses_are_left_out() -> None:
    peers = loaded(MAGNET + PEERS + LOCAL_PEERS).peers
    assert set(peers) == {("93.184.216.34", 6881), ("2606:4700::1111", 6882)}


def test_peers_on_local_addresses_are_kept_where_the_lan_is_allowed() -> None:
    assert len(loaded(MAGNET + PEERS + LOCAL_PEERS, allow_lan=True).peers) == 7


@pytest.mark.parametrize(
    "peer",
    [
        "host.example:1",
        "1.1.1.1",
        "1.1.1.1:0",
        "1.1.1.1:65536",
        "1.1.1.1:-1",
        "1.1.1.1:" + "9" * 5000,
        ":1",
        "1.1.1.1:١",
    ],
)
def test_a_peer_without_address_or_port_is_left_out(peer: str) -> None:
    assert loaded(f"{MAGNET}&x.pe={peer}").peers == []


@pytest.mark.parametrize(
    ("dn", "name"),
    [
        ("A+film%20%C3%A9", "A film é"),
        ("%ff", "\ufffd"),
        ("a%00b%1b%E2%80%AEc", "abc"),
        ("x" * 5000, "x" * 255),
    ],
)
def test_the_name_of_a_magnet_is_cleaned(dn: str, name: str) -> None:
    assert parse(f"{MAGNET}&dn={dn}", allow_lan=False).name == name
    assert loaded(f"{MAGNET}&dn={dn}").name == name


def test_a_choice_of_files_in_a_magnet_is_not_taken_for_the_job_s() -> None:
    assert loaded(f"{MAGNET}&so=0-2000000000").file_priorities == []


@pytest.mark.parametrize(
    ("text", "is_one"), [("http://a", True), (" HTTPS://a", True), ("ftp://a", False), (V1, False)]
)
def test_a_url_is_recognised(text: str, is_one: bool) -> None:
    assert is_url(text) is is_one


# --- .torrent files ---


@pytest.mark.parametrize(
    "info", [make_info(), make_info("f", files=[("a.mkv", 5), ("b/c.srt", 6)]), make_info_v2()]
)
def test_a_torrent_file_gives_its_metadata_and_all_that_is_needed_to_add_it(info: dict[str, Any]) -> None:
    raw = make_torrent(info, announce="http://t.example/a", url_list="http://w.example/")
    source = parse(raw, allow_lan=False)
    params = lt.read_resume_data(source.resume)
    assert source.metadata is not None
    assert source.name == source.metadata.name == info["name"]
    assert params.ti is not None
    assert params.ti.info_section() == bencode(info)
    assert (
        str(params.info_hashes.v1 if params.info_hashes.has_v1() else params.info_hashes.v2)
        == source.info_hash
    )
    assert params.trackers == ["http://t.example/a"]


def test_clashing_names_are_told_and_added_alike() -> None:
    source = parse(make_torrent(make_info("f", files=[("a.mkv", 1), ("A.mkv", 1)])), allow_lan=False)
    assert source.metadata is not None
    renamed = lt.read_resume_data(source.resume).renamed_files
    assert {x.index: x.path for x in source.metadata.files} == {0: "f/a.mkv"} | renamed
    assert len(renamed) == 1


def test_a_magnet_that_came_as_bytes_is_read() -> None:
    assert parse(f"\n{MAGNET}\n".encode(), allow_lan=False).info_hash == V1


def test_bytes_after_the_end_change_nothing() -> None:
    assert parse(make_torrent() + b"\r\n", allow_lan=False) == parse(make_torrent(), allow_lan=False)


TRACKER_LIST = [
    ["udp://a.example:1", "wss://b.example"],
    ["ws://c.example"],
    ["http://d.example/a", "udp://a.example:1"],
]


def test_tiers_are_kept_and_announce_gives_way_to_the_list() -> None:
    raw = make_torrent(**{"announce": "http://old.example/", "announce-list": TRACKER_LIST})
    params = loaded(raw)
    assert params.trackers == ["udp://a.example:1", "http://d.example/a"]
    assert params.tracker_tiers == [0, 1]


@pytest.mark.parametrize("announce_list", [[], [[]], "http://x.example/", [7], [[b""]]])
def test_announce_counts_where_the_list_is_empty_or_none(announce_list: Any) -> None:
    raw = make_torrent(**{"announce": "http://old.example/", "announce-list": announce_list})
    assert loaded(raw).trackers == ["http://old.example/"]


def test_text_that_is_not_utf8_harms_nothing() -> None:
    more = {
        "announce": b"http://\xff/",
        "url-list": [b"http\xff", b"http://w\xff.example/"],
        "comment": b"\xff",
        "created by": b"\xfe",
    }
    params = loaded(make_torrent(make_info(b"f\xe9.mkv"), **more))
    assert params.trackers == params.url_seeds == []


def test_nodes_for_the_dht_are_not_taken_from_strangers() -> None:
    assert loaded(make_torrent(nodes=[["127.0.0.1", 6881]])).dht_nodes == []


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\xef\xbb\xbf\n <html>", "web page"),
        (b"\x1f\x8b\x08\x00", "not a .torrent"),
        (b'{"error": "login"}', "not a .torrent"),
        (b"de", "info part is missing"),
        (b"d4:infolee", "info part is missing"),
        (make_torrent()[:-3], "cut short"),
        (b"d" + b"0" * MAX_TORRENT_BYTES, "10.0 MiB"),
        (make_torrent(make_info(pieces=b"h" * 19)), "not a valid torrent"),
        (make_torrent(make_info(pieces=b"h" * 20)), "piece hashes"),
        (make_torrent(make_info(size=0)), "length"),
        (make_torrent(make_info(size=-1)), "not a valid torrent"),
        (make_torrent(make_info(size=2**62, pieces=b"h" * 20)), "not a valid torrent"),
        (make_torrent(make_info("f", files=[])), "no files"),
        (make_torrent(make_info_v2(meta_version=3)), "not a valid torrent"),
        (
            make_torrent(make_info_v2({"a": torrents.leaf(2**40)}, **{"piece length": 1 << 18})),
            "not a valid torrent",
        ),
        (make_torrent(make_info("../x")), "separator"),
        (make_torrent(with_files([{"path": ["..", "x"]}])), "leads out"),
        (
            make_torrent(with_files([{"path": ["x"], "attr": "l", "symlink path": ["..", ".."]}])),
            "symbolic link",
        ),
        (make_torrent(make_info(piece_length=1 << 29)), "piece length"),
        (make_torrent(with_files([{"path": ["same"]}] * 2000)), "duplicate"),
        (
            make_torrent(with_files([{"path": [f"f{x}"]} for x in range(MAX_FILES + 1)])),
            "files, more",
        ),
        (
            make_torrent(**{"announce-list": [[f"udp://t{x}.example:1"] for x in range(MAX_TRACKERS + 1)]}),
            "trackers",
        ),
        (make_torrent(**{"url-list": ["http://w.example/"] * (MAX_WEB_SEEDS + 1)}), "web seeds"),
        (make_torrent(make_info_v2({"a": torrents.leaf(2**50)})), "not a valid torrent"),
        (
            b"d4:infod6:lengthi10e4:name1:a4:name2:..12:piece lengthi16384e6:pieces20:" + b"h" * 20 + b"ee",
            "repeated key",
        ),
    ],
    ids=range(28),
)
def test_a_torrent_file_that_cannot_be_taken_is_refused_with_the_reason(raw: bytes, words: str) -> None:
    assert words in refusal(raw)


# --- whatever comes ---


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda raw: b"d4:info" + raw))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    survives(raw)


@given(st.text(max_size=300) | st.text(max_size=300).map(lambda text: f"{MAGNET}&{text}"))
def test_any_text_is_read_or_refused(text: str) -> None:
    survives(text)


@given(
    st.lists(
        st.tuples(st.sampled_from(["xt", "tr", "ws", "x.pe", "dn", "so", "xt.1"]), st.text(max_size=60)),
        max_size=8,
    )
)
def test_any_parameters_of_a_magnet_are_read_or_refused(fields: list[tuple[str, str]]) -> None:
    survives(MAGNET + "".join(f"&{key}={value}" for key, value in fields))


def survives(source: str | bytes) -> None:
    with contextlib.suppress(BadSource):
        parse(source, allow_lan=False)


SEEDS = [
    make_torrent(
        make_info("f", files=[("a/b.mkv", 9), ("c", 9)]), announce="http://t/a", **{"url-list": ["http://w/"]}
    ),
    make_torrent(make_info_v2({"f": {"a.mkv": torrents.leaf(), "b": torrents.leaf()}})),
    make_torrent(with_files([{"path": ["a"], "attr": "p"}, {"path": ["b"], "path.utf-8": ["c"]}])),
]


def read_mutated(seed: int, count: int) -> int:
    chance = random.Random(seed)
    accepted = 0
    for _ in range(count):
        try:
            parse(torrents.mutated(chance.choice(SEEDS), chance), allow_lan=False)
            accepted += 1
        except BadSource:
            pass
    return accepted


def test_damaged_torrent_files_never_bring_the_process_down() -> None:
    count = 5000
    with ProcessPoolExecutor(
        1, mp_context=get_context("spawn")
    ) as child:  # a crash is a BrokenProcessPool here
        accepted = child.submit(read_mutated, 1, count).result(timeout=240)
    assert 0 < accepted < count  # both ways were taken


# --- cost ---


def seconds(raw: bytes) -> float:
    """Of CPU, the best of three: a busy machine only ever adds."""
    times = []
    for _ in range(3):
        start = time.thread_time()
        parse(raw, allow_lan=False)
        times.append(time.thread_time() - start)
    return min(times)


def test_a_usual_torrent_file_is_read_at_once() -> None:
    files = [(f"Season {x % 5}/Episode {x}.mkv", 1_000_000) for x in range(100)]
    info = make_info("Show", files=files)
    raw = make_torrent(info, announce="http://t/a")
    assert 100_000 < len(raw) < 200_000
    assert seconds(raw) < 0.02  # about 0.001 on the machine this was written on
