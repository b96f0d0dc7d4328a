"""A real swarm on loopback: libtorrent sessions that seed what the test makes."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import libtorrent as lt

from tests.waiting import until

CHECKING = (lt.torrent_status.states.checking_resume_data, lt.torrent_status.states.checking_files)


@dataclass(frozen=True)
class Torrent:
    """`magnet` names its seeders as x.pe (BEP 9), so that no tracker is needed."""

    name: str
    metainfo: bytes
    magnet: str
    info_hash: str
    folder: Path  # that holds the seeded file or folder

    def content(self, path: str) -> bytes:
        return (self.folder / path).read_bytes()


class Swarm:
    """A context manager; every seeder ends with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sessions: list[lt.session] = []
        self._handles: list[lt.torrent_handle] = []
        self.liars: dict[str, Path] = {}  # what they send, by address

    def __enter__(self) -> Swarm:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """All seeders vanish."""
        self._handles.clear()
        self._sessions.clear()

    def seed(
        self,
        files: dict[str, int | bytes],
        *,
        name: str = "video.mkv",
        piece_length: int = 64 << 10,
        seeders: int = 1,
        rate: int = 0,
        kind: int = lt.create_torrent.v1_only,
        trackers: tuple[str, ...] = (),
    ) -> Torrent:
        """Seed these files (path: size or content).  `{name: size}` makes a single-file torrent, other paths
        lie in a folder `name`.  `rate` is bytes a second of each seeder, 0 for no limit.
        """
        folder = self._folder / f"seed{len(list(self._folder.glob('seed*')))}"
        make_files(folder if list(files) == [name] else folder / name, files)
        torrent = make_torrent(folder, name, piece_length, kind, trackers)
        info = lt.load_torrent_buffer(torrent)
        ports = [self._seeder(info, folder, rate) for _ in range(seeders)]
        magnet = lt.make_magnet_uri(info) + "".join(f"&x.pe=127.0.0.1:{port}" for port in ports)
        hashes = info.info_hashes
        best = hashes.v1 if hashes.has_v1() else hashes.v2
        return Torrent(name, torrent, magnet, str(best), folder)

    def _seeder(
        self,
        params: lt.add_torrent_params,
        folder: Path,
        rate: int,
        *,
        host: str = "127.0.0.1",
        checks: bool = False,
    ) -> int:
        session = quiet_session(upload_rate_limit=rate, listen_interfaces=f"{host}:0")
        self._sessions.append(session)
        params.save_path = str(folder)
        params.flags = lt.torrent_flags.update_subscribe
        if not checks:
            params.flags |= lt.torrent_flags.seed_mode
        self._handles.append(handle := session.add_torrent(params))
        until(lambda: handle.status().state not in CHECKING)  # until then it hangs up on who asks
        return session.listen_port()

    def limit(self, rate: int) -> None:
        """Bytes a second of each seeder from now on, 0 for no limit."""
        for session in self._sessions:
            session.apply_settings({"upload_rate_limit": rate})

    def corrupt(self, torrent: Torrent) -> str:
        """A peer that says it has all of a single-file torrent, and sends something else; its address, as in
        x.pe (BEP 9): on a host of its own, since libtorrent bans its neighbours with it.

        It had all, so that it does not look at it again, as it would in seed mode.
        """
        folder = self._folder / f"liar{len(self.liars)}"
        truth = torrent.content(torrent.name)
        make_files(folder, {torrent.name: truth})
        params = lt.load_torrent_buffer(torrent.metainfo)
        address = f"127.0.0.2:{self._seeder(params, folder, 0, host='127.0.0.2', checks=True)}"
        self.liars[address] = folder / torrent.name
        self.liars[address].write_bytes(bytes(byte ^ 0xFF for byte in truth))
        return address

    def ports(self) -> list[int]:
        """Of all seeders, oldest first."""
        return [session.listen_port() for session in self._sessions]

    def peers(self) -> int:
        """Connections of all seeders together."""
        return sum(handle.status().num_peers for handle in self._handles)

    def sent(self) -> int:
        """Bytes of payload that all seeders together have sent, what was thrown away included."""
        return sum(handle.status().total_payload_upload for handle in self._handles)


def make_files(folder: Path, files: dict[str, int | bytes]) -> None:
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(random.Random(path).randbytes(content) if isinstance(content, int) else content)


def make_torrent(folder: Path, name: str, piece_length: int, kind: int, trackers: tuple[str, ...]) -> bytes:
    builder = lt.create_torrent(lt.list_files(str(folder / name)), piece_length, kind)
    for tracker in trackers:
        builder.add_tracker(tracker)
    lt.set_piece_hashes(builder, str(folder))
    return lt.bencode(builder.generate())


def quiet_session(**more: object) -> lt.session:
    """A session that speaks to loopback only, whose peers there are not spared the rate limits."""
    session = lt.session(
        {
            "listen_interfaces": "127.0.0.1:0",
            "enable_dht": False,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "enable_outgoing_utp": False,
            "enable_incoming_utp": False,
            "allow_multiple_connections_per_ip": True,
            "ssrf_mitigation": False,
            "alert_mask": 0,
            "stop_tracker_timeout": 0,
            "tick_interval": 20,  # by default a limited seeder needs half a second for each message
            "webtorrent_stun_server": "",
            **more,
        }
    )
    everyone = lt.ip_filter()
    everyone.add_rule("0.0.0.0", "255.255.255.255", 1 << lt.session.global_peer_class_id)
    session.set_peer_class_filter(everyone)
    return session
