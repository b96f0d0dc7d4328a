"""Each route once, as a program would use it; and each way to use it wrongly."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
from typing import Any

import pytest

import htdl
from htdl.api import answers
from htdl.jobs import JobFile, State
from tests.api.serving import Serving
from tests.waiting import until


def ask(
    served: Serving, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, Any, dict[str, str]]:
    """Status, JSON value, headers; `body` is bytes, or anything JSON has."""
    connection = http.client.HTTPConnection("htdl")
    connection.sock = served.connect()
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    with contextlib.closing(connection):
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        told = answer.read()
    return answer.status, json.loads(told) if told else None, dict(answer.headers.items())


def add(served: Serving, source: str = "magnet:one", **fields: Any) -> dict[str, Any]:
    status, job, _ = ask(served, "POST", "/api/v1/jobs", {"source": source, **fields})
    assert status == 201
    return job


def test_add_makes_a_job_and_answers_with_it(served: Serving) -> None:
    status, job, headers = ask(
        served, "POST", "/api/v1/jobs", {"source": "magnet:one", "priority": 3, "files": ["*.mkv"]}
    )
    assert (status, job["status"], job["priority"], job["selection"]) == (201, "PENDING", 3, ["*.mkv"])
    assert headers["Htdl-Version"] == htdl.__version__
    assert headers["Content-Type"] == "application/json"
    assert "Htdl-Existing" not in headers


def test_add_of_a_torrent_that_has_a_living_job_answers_with_that_job(served: Serving) -> None:
    first = add(served)
    status, job, headers = ask(served, "POST", "/api/v1/jobs", {"source": "magnet:one"})
    assert (status, job["id"], headers["Htdl-Existing"]) == (200, first["id"], "true")


def test_add_takes_the_bytes_of_a_torrent_as_base64(served: Serving) -> None:
    assert ask(served, "POST", "/api/v1/jobs", {"torrent": "ZDQ6aW5mbw=="})[0] == 201


@pytest.mark.parametrize(
    ("body", "status", "code", "says"),
    [
        (b"not json", 400, "bad_request", "malformed"),
        (b"", 400, "bad_request", "source"),
        (b"[]", 400, "bad_request", "object"),
        (b"\xff\xfe", 400, "bad_request", ""),
        (b'{"source": "\xff"}', 400, "bad_request", "utf-8"),
        (b"[" * 1_000_000, 400, "bad_request", ""),
        (b'{"source": ' + b"[" * 1_000_000, 400, "bad_request", ""),
        (b'{"source": "a", "source": 1}', 400, "bad_request", "source"),
        ({"source": 5}, 400, "bad_request", "$.source"),
        ({"source": "a", "priority": "high"}, 400, "bad_request", "$.priority"),
        ({"source": "a", "priority": 10**30}, 400, "bad_request", "priority"),
        ({"source": "a", "priority": True}, 400, "bad_request", "priority"),
        ({"source": "a", "prioritee": 1}, 400, "bad_request", "'prioritee'"),
        ({"source": "a", "max_download_speed": 10**18}, 400, "bad_request", "speed"),
        ({"torrent": "%%%"}, 400, "bad_request", "$.torrent"),
        ({"source": "bad"}, 422, "bad_source", "magnet"),
    ],
)
def test_add_names_what_is_wrong_with_a_request(
    served: Serving, body: Any, status: int, code: str, says: str
) -> None:
    got, told, _ = ask(served, "POST", "/api/v1/jobs", body)
    assert (got, told["error"]["code"]) == (status, code)
    assert says in told["error"]["message"]


def test_an_unknown_key_comes_with_the_nearest_known_one(served: Serving) -> None:
    _, told, _ = ask(served, "POST", "/api/v1/jobs", {"source": "a", "prioritee": 1})
    assert told["error"]["hint"] == "did you mean priority?"


def test_list_filters_limits_and_counts_all(served: Serving) -> None:
    ids = [add(served, f"magnet:{n}")["id"] for n in range(5)]
    served.client.cancel(ids[0])
    served.change(ids[0], status=State.CANCELLED)
    status, jobs, headers = ask(served, "GET", "/api/v1/jobs?status=PENDING,paused&limit=2")
    assert (status, [x["id"] for x in jobs], headers["Htdl-Total"]) == (200, ids[1:3], "4")


def test_list_of_more_than_one_chunk_is_whole(served: Serving) -> None:
    ids = [add(served, f"magnet:{n}")["id"] for n in range(answers._CHUNK + 1)]
    assert [x["id"] for x in ask(served, "GET", "/api/v1/jobs")[1]] == ids


@pytest.mark.parametrize(
    "query",
    [
        "status=RUNNING",
        "limit=-1",
        "limit=many",
        "limit=%C2%B2",
        "sort=colour",
        "status=%ff",
        "ready=maybe",
        "name=" + "x" * 201,
    ],
)
def test_list_rejects_what_it_does_not_know(served: Serving, query: str) -> None:
    status, told, _ = ask(served, "GET", f"/api/v1/jobs?{query}")
    assert (status, told["error"]["code"]) == (400, "bad_request")


def test_a_job_is_found_by_any_unique_prefix(served: Serving) -> None:
    job = add(served)
    assert ask(served, "GET", f"/api/v1/jobs/{job['id'][:6]}")[1]["id"] == job["id"]


def test_pause_resume_retry_update_cancel_and_remove(served: Serving) -> None:
    path = f"/api/v1/jobs/{add(served)['id']}"
    assert ask(served, "POST", f"{path}/pause")[1]["wish"] == "PAUSE"
    assert ask(served, "POST", f"{path}/resume")[1]["wish"] == "RUN"
    assert ask(served, "PATCH", path, {"priority": 9, "max_upload_speed": 5})[1]["priority"] == 9
    assert ask(served, "DELETE", path)[1]["error"]["code"] == "refused"
    assert ask(served, "POST", f"{path}/cancel", {"delete": False})[1]["wish"] == "CANCEL"
    served.change(path[-36:], status=State.CANCELLED)
    assert ask(served, "POST", f"{path}/pause")[0] == 409
    assert ask(served, "POST", f"{path}/retry")[1]["attempts"] == 2
    served.change(path[-36:], status=State.CANCELLED)
    assert ask(served, "DELETE", f"{path}?delete=0")[1]["id"] == path[-36:]
    assert ask(served, "GET", path)[0] == 404


@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [("PATCH", "", {"name": "x"}), ("POST", "/cancel", {"purge": 1}), ("DELETE", "?delete=yes please", None)],
)
def test_a_verb_rejects_what_it_does_not_know(served: Serving, method: str, rest: str, body: Any) -> None:
    path = f"/api/v1/jobs/{add(served)['id']}{rest.replace(' ', '%20')}"
    assert ask(served, method, path, body)[0] == 400


@pytest.mark.parametrize(
    "odd",
    [
        "nosuch",
        "%00",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "%ff%fe",
        "%zz",
        "%25",
        "'--",
        "%5B%2A%5D",
        "%F0%9F%98%80",
        "x" * 7000,
    ],
)
def test_an_odd_id_is_no_job(served: Serving, odd: str) -> None:
    status, told, _ = ask(served, "GET", f"/api/v1/jobs/{odd}")
    assert (status, told["error"]["code"]) == (404, "no_such_job")


def test_a_video_application_finds_its_video_and_cancels_it_twice(served: Serving) -> None:
    job = add(served, video_id="film-7")
    served.note(job["id"], download_speed=1000, eta_seconds=60, progress=12)
    served.set_files(job["id"], JobFile(index=0, path="a.mkv", size=1000, progress=12.0))
    status, told, _ = ask(served, "GET", "/api/v1/videos/film-7/stream/status")
    assert status == 200
    assert told == {"ready": False, "progress": 12, "downloadSpeed": 1000, "eta": 60, "filePath": None}
    assert ask(served, "POST", "/api/v1/videos/film-7/download/cancel")[:2] == (200, {})
    served.change(job["id"], status=State.CANCELLED)
    assert ask(served, "POST", "/api/v1/videos/film-7/download/cancel")[:2] == (200, {})
    assert ask(served, "GET", "/api/v1/videos/film-8/stream/status")[0] == 404


def test_a_jobs_stream_says_whether_it_can_be_watched_and_where_it_is(served: Serving) -> None:
    job = add(served)
    served.set_files(job["id"], JobFile(index=0, path="a.mkv", size=1000, progress=4.0))
    status, told, _ = ask(served, "GET", f"/api/v1/jobs/{job['id'][:8]}/stream")
    assert (status, told["job"], told["file"], told["url"]) == (200, job["id"], 0, None)
    assert told["file_path"].endswith("/a.mkv")
    assert told["readiness"]["ready"] is False
    assert told["readiness"]["reason"]
    assert ask(served, "GET", f"/api/v1/jobs/{job['id']}/stream?file=7")[0] == 404
    assert ask(served, "GET", f"/api/v1/jobs/{job['id']}/stream?file=x")[0] == 400


def test_a_job_without_files_yet_says_why_it_cannot_be_watched(served: Serving) -> None:
    job = add(served)
    status, told, _ = ask(served, "GET", f"/api/v1/jobs/{job['id']}/stream")
    assert (status, told["file"], told["file_path"], told["readiness"]["ready"]) == (200, None, None, False)


def test_a_preload_is_checked_before_anything_is_done(served: Serving) -> None:
    job = add(served)
    for body in (b'{"seconds": -1}', b'{"seconds": 1e300}', b'{"second": 1}', b'{"file": "x"}'):
        assert ask(served, "POST", f"/api/v1/jobs/{job['id']}/preload", body)[0] == 400
    served.change(job["id"], status=State.CANCELLED)
    assert ask(served, "POST", f"/api/v1/jobs/{job['id']}/preload", b"{}")[0] == 409


def test_a_preload_is_given_up_when_its_client_hangs_up(served: Serving) -> None:
    job = add(served)
    streams = served.service.streams
    path = f"/api/v1/jobs/{job['id']}/preload"
    with served.connect() as sock:
        sock.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        until(lambda: streams.is_watched(job["id"]))
    until(lambda: not streams.is_watched(job["id"]))


def test_health_names_each_check_and_the_process(served: Serving) -> None:
    for path in ("/health", "/api/v1/health"):
        status, told, _ = ask(served, "GET", path)
        assert (status, told["ok"], told["pid"], told["version"]) == (
            200,
            True,
            os.getpid(),
            htdl.__version__,
        )
        names = ("disk", "engine", "database", "queue", "conversion", "port")
        assert told["checks"] == dict.fromkeys(names, "ok")


def test_stats_configuration_reload_and_shutdown(served: Serving) -> None:
    add(served)
    assert ask(served, "GET", "/api/v1/stats")[1]["by_status"]["PENDING"] == 1
    assert ask(served, "GET", "/api/v1/config")[1]["stream.port"] == 8083
    assert ask(served, "POST", "/api/v1/reload")[1] == {"changed": ["log.level"], "needs_restart": []}
    assert ask(served, "POST", "/api/v1/shutdown")[:2] == (202, {})
    assert served.asked == ["reload", "shutdown"]


def test_an_unknown_route_and_a_wrong_method_are_told_apart(served: Serving) -> None:
    status, told, headers = ask(served, "GET", "/api/v1/nothing")
    assert (status, told["error"]["code"]) == (404, "no_such_route")
    assert headers["Htdl-Version"] == htdl.__version__
    status, told, headers = ask(served, "PUT", "/api/v1/jobs")
    assert (status, told["error"]["code"], headers["Allow"]) == (405, "method_not_allowed", "GET,HEAD,POST")


def test_a_bug_is_a_500_with_its_trace_in_the_log(served: Serving, caplog: pytest.LogCaptureFixture) -> None:
    served.service.jobs = None  # broken on purpose
    status, told, _ = ask(served, "GET", "/api/v1/jobs")
    assert (status, told["error"]["code"]) == (500, "internal")
    assert "Traceback" in caplog.text
    assert "/api/v1/jobs" in caplog.text
