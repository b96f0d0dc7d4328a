"""Addresses that nobody can guess."""

from __future__ import annotations

from dataclasses import replace

from htdl.core.links import Links
from htdl.jobs import Subtitle
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


def test_the_subtitles_of_a_video_are_linked_where_they_were_made() -> None:
    links, video = Links(b"secret"), job_file(1)
    some = [
        Subtitle(file_index=0, path="/s/v/en.vtt", origin="of another"),
        Subtitle(file_index=1, path="/s/v/What? #1%/pt-BR.forced.vtt", language="pt-BR", origin="a.srt"),
        Subtitle(file_index=1, path="1/track 3 (pgs)", origin="track 3 (pgs)", note="pictures"),
    ]
    assert [x.url for x in links.subtitles("a", video, some)] == [None, None], "no server listens"
    links.base_url = "http://127.0.0.1:1"
    made, lost = links.subtitles("a", video, some)
    assert made.url == f"http://127.0.0.1:1/watch/a/{links.token('a')}/subtitle/1/pt-BR.forced.vtt"
    assert (made.language, made.label, made.origin, made.note) == ("pt-BR", "pt-BR.forced", "a.srt", "")
    assert (lost.url, lost.language, lost.label, lost.note) == (None, "", "track 3 (pgs)", "pictures")
    (titled,) = links.subtitles("a", video, [replace(some[1], title="Brasil")])
    assert titled.label == "Brasil"
