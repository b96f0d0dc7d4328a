"""Addresses that nobody can guess."""

from __future__ import annotations

from htdl.core.links import Links
from tests.core.examples import job_file


def test_a_token_is_one_jobs_and_one_secrets() -> None:
    links = Links(b"secret")
    assert links.is_token("a", links.token("a"))
    assert not links.is_token("b", links.token("a"))
    assert not links.is_token("a", "")
    assert not links.is_token("a", "\udcff")
    assert Links(b"secret").token("a") == links.token("a")
    assert Links(b"another").token("a") != links.token("a")
    assert len(links.token("a")) == 22, "128 bits"


def test_an_address_is_there_while_a_server_is() -> None:
    links = Links(b"secret")
    assert (links.video("a", job_file()), links.page("a"), links.playlist("a")) == (None, None, None)
    links.base_url = "http://127.0.0.1:1"
    token = links.token("a")
    video = links.video("a", job_file(3, "folder/What? #1%.mkv"))
    assert video == f"http://127.0.0.1:1/stream/a/{token}/3/What%3F%20%231%25.mkv"
    assert links.page("a") == f"http://127.0.0.1:1/watch/a/{token}/"
    assert links.page("a", 3) == f"http://127.0.0.1:1/watch/a/{token}/#file=3"
    assert links.playlist("a") == f"http://127.0.0.1:1/watch/a/{token}/job.m3u"


def test_the_subtitles_of_a_video_are_linked_as_they_are() -> None:
    links = Links(b"secret")
    files = [job_file(i, x) for i, x in enumerate(("e1.mkv", "e2.mkv", "e1.pt-BR.srt", "e2.ass"))]
    assert links.subtitles("a", files[0], files) == ()
    links.base_url = "http://127.0.0.1:1"
    (one,) = links.subtitles("a", files[0], files)
    assert (one.url, one.language, one.label) == (links.video("a", files[2]), "pt-br", "pt-BR")
    assert [x.url for x in links.subtitles("a", files[1], files)] == [links.video("a", files[3])]
