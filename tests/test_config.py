from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from htdl import config, origins
from htdl.config import NEEDS_RESTART, Size, load, sizes
from htdl.errors import BadConfig
from htdl.origins import Origin

ENVIRON = {"XDG_DATA_HOME": "/data", "XDG_CACHE_HOME": "/cache"}


def faults(text: str, **environ: str) -> list[str]:
    """What is wrong with it, a line each."""
    with pytest.raises(BadConfig) as caught:
        load(text, {**ENVIRON, **environ})
    assert caught.value.hint
    return [line.split(": ", 1)[1] if line.startswith("  line ") else line.strip() for line in told(caught)]


def told(caught: pytest.ExceptionInfo[BadConfig]) -> list[str]:
    return caught.value.message.splitlines()[1:]


# what is so when nothing is said


def test_an_empty_file_is_a_whole_configuration() -> None:
    flat = config.flat(load("", ENVIRON))
    assert flat["torrent.download_path"] == "/data/htdl/downloads"
    assert flat["storage.base_path"] == "/data/htdl/videos"
    assert flat["storage.subtitle_path"] == "/data/htdl/subtitles"
    assert flat["storage.temp_path"] == "/cache/htdl/temp"
    assert flat["torrent.max_upload_speed"] == 100
    assert flat["torrent.max_active_downloads"] == 3
    assert flat["torrent.allow_lan"] is False
    assert flat["stream.port"] == 8083
    assert flat["stream.buffer_threshold_percent"] == 10.0
    assert flat["storage.min_free"] == 1 << 30


@pytest.mark.parametrize(
    "key",
    [
        "storage.base_path",
        "storage.temp_path",
        "storage.subtitle_path",
        "torrent.download_path",
        "torrent.max_download_speed",
        "torrent.max_upload_speed",
        "torrent.max_connections",
        "torrent.dht_enabled",
        "torrent.pex_enabled",
        "torrent.port_range_start",
        "torrent.port_range_end",
        "stream.port",
        "stream.buffer_threshold_percent",
        "conversion.target_format",
        "conversion.target_codec",
        "cache.ttl_days",
        "cache.cleanup_interval_hours",
        "log.level",
    ],
)
def test_the_keys_of_the_original_service_have_their_names(key: str) -> None:
    assert key in config.flat(load("", ENVIRON))


def test_what_the_file_says_goes_before_the_default_and_the_environment_before_both() -> None:
    text = "[torrent]\nmax_connections = 50\nmax_active_downloads = 5"
    loaded = load(text, {**ENVIRON, "HTDL_TORRENT_MAX_CONNECTIONS": "70"})
    assert (loaded.torrent.max_connections, loaded.torrent.max_active_downloads) == (70, 5)


# the environment


@pytest.mark.parametrize(
    ("variable", "text", "key", "value"),
    [
        ("HTDL_TORRENT_DOWNLOAD_PATH", "/films", "torrent.download_path", "/films"),
        ("HTDL_TORRENT_DHT_ENABLED", "no", "torrent.dht_enabled", False),
        ("HTDL_TORRENT_DHT_ENABLED", " True ", "torrent.dht_enabled", True),
        ("HTDL_TORRENT_SEED_RATIO", "2.5", "torrent.seed_ratio", 2.5),
        ("HTDL_TORRENT_SEED_RATIO", "2", "torrent.seed_ratio", 2.0),
        ("HTDL_STORAGE_MIN_FREE", "5GiB", "storage.min_free", 5 << 30),
        ("HTDL_STORAGE_MIN_FREE", "5000", "storage.min_free", 5000),
        ("HTDL_WATCH_PATHS", "/a:/b", "watch.paths", ("/a", "/b")),
        ("HTDL_WATCH_PATHS", "", "watch.paths", ()),
        ("HTDL_HOOKS_ON_READY", "/bin/say 'a film'", "hooks.on_ready", ("/bin/say", "a film")),
        ("HTDL_HOOKS_ON_READY", "", "hooks.on_ready", ()),
        ("HTDL_LOG_LEVEL", "debug", "log.level", "debug"),
        ("HTDL_TORRENT_LISTEN_INTERFACE", "127.0.0.1", "torrent.listen_interface", "127.0.0.1"),
    ],
)
def test_the_environment_is_read_by_the_kind_of_the_key(
    variable: str, text: str, key: str, value: Any
) -> None:
    assert config.flat(load("", {**ENVIRON, variable: text}))[key] == value


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("HTDL_TORRENT_MAX_CONNECTIONS", "many", "whole number, not a text"),
        ("HTDL_TORRENT_DHT_ENABLED", "maybe", "neither true nor false"),
        ("HTDL_STREAM_PORT", "99999", "at most 65535"),
        ("HTDL_TORRENT_DOWNLOAD_PATH", "films", "not an absolute path"),
        ("HTDL_HOOKS_ON_ADDED", "say 'a", "no closing quotation"),
    ],
)
def test_a_fault_in_the_environment_is_named(variable: str, text: str, words: str) -> None:
    (fault,) = faults("", **{variable: text})
    assert words in fault


# sizes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1000", 1000),
        ("1K", 1024),
        ("1k", 1024),
        ("1KB", 1000),
        ("1 KiB", 1024),
        ("500 MB", 500_000_000),
        ("500MiB", 500 << 20),
        ("1.5G", 3 << 29),
        ("2TiB", 2 << 40),
        ("7B", 7),
    ],
)
def test_a_size_is_written_with_its_unit(text: str, expected: int) -> None:
    assert Size.parse(text) == expected
    assert Size.parse(Size(expected).written()) == expected


def test_a_size_is_told_in_the_largest_unit_that_says_it_to_the_byte() -> None:
    told = [Size(x).written() for x in (0, 1000, 1024, 1025, 3 << 29, 1 << 30, 2 << 40)]
    assert told == ["0", "1000", "1KiB", "1025", "1536MiB", "1GiB", "2TiB"]
    assert sizes() == {"storage.min_free", "cache.max_size"}


@pytest.mark.parametrize("text", ["", "big", "-1", "1X", "1e9", "1,5G", "GiB", "0x10", "1 2"])
def test_what_is_no_size_is_told_with_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        Size.parse(text)
    (fault,) = faults(f"[storage]\nmin_free = {text!r}")
    assert fault.startswith("storage.min_free: not a size")
    assert "500MiB" in fault


@pytest.mark.parametrize("value", ["-1", "true", "1.5", "[1]"])
def test_a_size_of_another_kind_is_refused(value: str) -> None:
    (fault,) = faults(f"[storage]\nmin_free = {value}")
    assert fault.startswith("storage.min_free: ")


# faults


def test_every_fault_is_told_at_once_with_its_key() -> None:
    text = """
[torrent]
max_connections = "many"
dht_enabld = true
max_active_downloads = 0
port_range_start = 7000
port_range_end = 6999
[storage]
base_path = "relative"
[conversion]
target_format = "avi"
[nonsense]
key = 1
"""
    told = faults(text, HTDL_STREAM_PORT="-1")
    assert sorted(line.split(":")[0] for line in told) == [
        "HTDL_STREAM_PORT",
        "[nonsense]",
        "conversion.target_format",
        "storage.base_path",
        "torrent.dht_enabld",
        "torrent.max_active_downloads",
        "torrent.max_connections",
        "torrent.port_range_end",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[torent]", "did you mean torrent"),
        ("[torrent]\nmax_conections = 1", "did you mean max_connections"),
        ('[log]\nlevel = "warn"', "did you mean warning"),
        ('[conversion]\ntarget_codec = "h265"', "did you mean h264"),
        ("torrent = 1", "write [torrent]"),
        ("[torrent]\nmax_upload_speed = -2", "at least -1"),
        ("[torrent]\nmax_connections = true", "whole number, not true or false"),
        ('[torrent]\ndownload_path = ""', "not a path"),
        ('[torrent]\ndownload_path = "/a\\u0000b"', "not a path"),
        ("[stream]\nport = 80.5", "whole number, not one with a point"),
        ("[stream]\nbuffer_threshold_percent = 101", "a number of at most 100"),
        ("[torrent]\nseed_ratio = nan", "seed_ratio"),
        ("[watch]\npaths = ['x']", "not an absolute path"),
        ("[watch]\npaths = ['~nobody-has-this-name/x']", "unknown user"),
        ("[hooks]\non_added = '/bin/true'", "a list, not a text"),
        ("[hooks]\non_added = ['']", "names no program"),
        ('[hooks]\non_added = ["say", "a\\u0000b"]', "names no program"),
        ("[hooks]\non_added = ['bin/say']", "'bin/say' is not an absolute path"),
        ("[hooks]\ntimeout_seconds = 0", "at least 1"),
        ("[cache]\nmax_size = '2000000T'", "too large"),
        (f"[cache]\nmax_size = {1 << 63}", "too large"),
        (f"[cache]\nmax_size = '{'9' * 400}'", "too large"),
    ],
)
def test_a_fault_says_what_is_meant(text: str, words: str) -> None:
    (fault,) = faults(text)
    assert words in fault


def test_what_resembles_nothing_gets_no_guess() -> None:
    (fault,) = faults("[torrent]\nzzzzzz = 1")
    assert fault == "torrent.zzzzzz: no such key"


def test_text_that_is_not_toml_is_told_with_its_line() -> None:
    with pytest.raises(BadConfig, match=r"config\.toml is not valid TOML: .*line 2"):
        load("[torrent]\nmax = =\n", ENVIRON)


def test_faults_stand_in_the_order_of_the_file_with_their_lines() -> None:
    text = "[log]\nlevel = 'loud'\n\n[torrent]\n# max_connections = 1\nmax_conections = 1\n"
    text += "[watch]\npaths = [\n'x']\n"
    with pytest.raises(BadConfig) as caught:
        load(text, {**ENVIRON, "HTDL_STREAM_PORT": "-1"})
    assert [line.strip().split(" ", 2)[:2] for line in told(caught)] == [
        ["line", "2:"],
        ["line", "6:"],
        ["line", "8:"],
        ["HTDL_STREAM_PORT:", "must"],
    ]


def test_a_section_on_one_line_has_its_keys_there() -> None:
    with pytest.raises(BadConfig) as caught:
        load("\n\ntorrent = {max_connections = 'x'}", ENVIRON)
    assert told(caught)[0].startswith("  line 3: torrent.max_connections")


def test_the_line_that_is_no_toml_is_shown() -> None:
    with pytest.raises(BadConfig, match=r"\n  line 2: max = =$"):
        load("[torrent]\nmax = =\n", ENVIRON)
    with pytest.raises(BadConfig, match="not valid TOML"):
        load("a = [", ENVIRON)
    with pytest.raises(BadConfig, match="nested too deeply"):
        load("a = " + "[" * 5000, ENVIRON)


# where values come from


def test_the_origin_of_each_value() -> None:
    text = "[torrent]\nmax_connections = 5\nseed_ratio = 1\n"
    found = origins.of(text, {"HTDL_TORRENT_SEED_RATIO": "2"})
    assert list(found) == list(config.flat(load("", ENVIRON)))
    assert found["torrent.max_connections"] == Origin("file", line=2)
    assert found["torrent.seed_ratio"] == Origin("environment", variable="HTDL_TORRENT_SEED_RATIO")
    assert found["log.level"] == Origin("default")


def test_strangers_are_told_once_and_those_of_hooks_are_none() -> None:
    environ = dict.fromkeys(["HTDL_TORENT_PORT", "HTDL_SOCKET", "HTDL_EVENT", "HTDL_TORRENT_X", "OTHER"], "")
    assert [x.where for x in origins.strangers(environ)] == ["HTDL_TORENT_PORT"]


def test_every_variable_that_the_code_names_is_known() -> None:
    sources = Path(config.__file__).parent.rglob("*.py")
    named = {name for path in sources for name in re.findall(r'"(HTDL_[A-Z_]+[A-Z])"', path.read_text())}
    assert {"HTDL_SOCKET", "HTDL_JOB_ID"} <= named
    assert not origins.strangers(dict.fromkeys(named, ""))


# the schedule


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (["mon-fri 08:00 down=5"], "no hours"),
        (["mon down=5", "sun"], "names no speed"),
        ("mon down=5", "must be a list, not a text"),
        (["mon down=5", 7], "value 2 must be a text in quotes, not a whole number"),
        (["mun down=5", "sun down=5", "10:00-25:00 up=5"], "and '10:00-25:00'"),
        (["mon down=5"] * 99, "too many"),
    ],
)
def test_a_rule_that_cannot_be_read_is_a_fault(rules: object, words: str) -> None:
    (fault,) = faults(f"[limit]\nschedule = {rules!r}")
    assert fault.startswith("limit.schedule: ")
    assert words in fault


def test_a_schedule_may_come_by_a_variable() -> None:
    loaded = load("", {**ENVIRON, "HTDL_LIMIT_SCHEDULE": "'mon 08:00-18:00 down=5' 'sun up=1'"})
    assert loaded.limit.schedule == ("mon 08:00-18:00 down=5", "sun up=1")


# the file


def test_a_file_that_is_not_there_is_an_empty_one(tmp_path: Path) -> None:
    assert config.load_file(tmp_path / "none.toml", ENVIRON) == load("", ENVIRON)


def test_a_file_is_named_in_its_faults(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[torent]")
    with pytest.raises(BadConfig, match=r"mine\.toml\) has 1 fault:"):
        config.load_file(path, ENVIRON)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"# caf\xe9"])
def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(BadConfig, match="cannot read"):
        config.load_file(path, ENVIRON)


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="cannot read"):
        config.load_file(tmp_path, ENVIRON)


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    loaded = load('[torrent]\ndownload_path = "~/films"', ENVIRON)
    assert loaded.torrent.download_path == Path("/home/someone/films")


# what changes


def test_the_keys_that_differ() -> None:
    old = load("", ENVIRON)
    new = load("[torrent]\nmax_connections = 9\n[log]\nlevel = 'debug'", ENVIRON)
    assert config.changed(old, new) == ["torrent.max_connections", "log.level"]
    assert config.changed(old, old) == []


def test_what_needs_a_restart_is_a_key() -> None:
    assert set(config.flat(load("", ENVIRON))) >= NEEDS_RESTART


def test_a_variable_that_names_no_key_is_a_fault_and_its_neighbour_is_offered() -> None:
    with pytest.raises(BadConfig) as caught:
        config.load("", {"HTDL_TORRENT_MAX_CONECTIONS": "5"})
    assert "HTDL_TORRENT_MAX_CONECTIONS: names no key; did you mean HTDL_TORRENT_MAX_CONNECTIONS?" in str(
        caught.value
    )


def test_a_fault_of_a_variable_is_told_by_its_name() -> None:
    with pytest.raises(BadConfig) as caught:
        config.load("", {"HTDL_TORRENT_MAX_CONNECTIONS": "many"})
    assert "HTDL_TORRENT_MAX_CONNECTIONS: must be a whole number" in str(caught.value)


def test_variables_of_other_things_are_left_alone() -> None:
    config.load("", {"HTDL_SOCKET": "/s", "HTDL_STATE_DIR": "/d", "HTDL_CONFIG": "/c"})


def test_a_file_that_is_named_must_exist_and_the_usual_one_need_not(tmp_path: Path) -> None:
    missing = tmp_path / "typo.toml"
    assert config.load_file(missing, {}) == config.load("", {})
    with pytest.raises(BadConfig, match=r"there is no file .*typo\.toml"):
        config.load_file(missing, {"HTDL_CONFIG": str(missing)})
