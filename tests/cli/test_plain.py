from __future__ import annotations

from htdl.cli import plain
from tests.cli.objects import job


def test_columns_are_aligned_and_every_cell_is_filled() -> None:
    lines = plain.job_table(
        [job(), job(status="PENDING", download_speed=0, total_bytes=0, progress=0, eta_seconds=-1)]
    )
    starts = [lines[0].index(title) for title in plain.HEADING]
    for line in lines[1:]:
        assert all(line[start] != " " and (start == 0 or line[start - 1] == " ") for start in starts)


def test_a_reason_follows_the_name() -> None:
    line = plain.job_table([job(blocked_by="no_peers")])[1]
    assert line.endswith("Sintel.mkv  (no peers found yet)")


def test_lines_are_text_only() -> None:
    lines = plain.job_table([job(name="\x1b[31m日本\n\u2028x", ready=True)])
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
