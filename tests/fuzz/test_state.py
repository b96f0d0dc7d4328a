"""What libtorrent kept with us, damaged: refused, and never the end of the process."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from htdl.errors import BadSource
from htdl.torrent import inspection, resume, sources
from htdl.torrent._lt import lt
from tests.torrents import make_info, make_torrent, mutated

TORRENT = make_torrent(make_info("show", files=[("a.mkv", 40_000), ("b/c.srt", 500)]))
RESUME = sources.parse(TORRENT, allow_lan=False).resume
SESSION = lt.write_session_params_buf(lt.session_params())


@given(st.randoms(use_true_random=False), st.integers(1, 5))
def test_damaged_resume_data_are_read_or_refused(chance: random.Random, times: int) -> None:
    blob = RESUME
    for _ in range(times):
        blob = mutated(blob, chance)
    with suppress(BadSource):
        params = resume.load(blob)
        resume.is_plausible(params, Path("/nowhere"))
        if params.ti:
            found = inspection.judge(params.ti, params.renamed_files)
            assert not any(".." in file.path.split("/") or file.path[:1] == "/" for file in found.files)


@given(st.randoms(use_true_random=False))
def test_a_damaged_session_is_read_or_refused(chance: random.Random) -> None:
    with suppress(RuntimeError):  # which is what `Session.open` expects
        assert lt.read_session_params(mutated(SESSION, chance))
