"""Which speed limits hold, why, and until when."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from htdl import config
from htdl.answers import SpeedLimit
from htdl.config import Config
from htdl.core import limits
from htdl.core.limits import WAYS, ByHand

OFFICE = "mon-fri 08:00-18:00 down=500 up=50"
NIGHT = "daily 22:00-06:00 down=none"
MONDAY = datetime.fromisoformat("2026-11-23")


def settings(*schedule: str, down: int = 2000, up: int = 100) -> Config:
    text = (
        f"[torrent]\nmax_download_speed = {down}\nmax_upload_speed = {up}\n[limit]\nschedule = {[*schedule]}"
    )
    return config.load(text, {})


def at(hour: int, minute: int = 0, day: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


def down(settings: Config, when: datetime, by_hand: ByHand | None = None) -> SpeedLimit:
    return limits.standing(settings, "download", when, by_hand)


def test_without_a_schedule_the_configuration_holds_for_ever() -> None:
    assert down(settings(), at(12)) == SpeedLimit(speed=2000 << 10, by="configuration")
    assert down(settings(down=-1), at(12)).speed == -1


def test_a_rule_holds_in_its_hours() -> None:
    office = settings(OFFICE)
    assert down(office, at(7, 59)) == SpeedLimit(
        speed=2000 << 10, by="configuration", until="2026-11-23T08:00"
    )
    assert down(office, at(8)) == SpeedLimit(
        speed=500 << 10, by="schedule", rule=OFFICE, until="2026-11-23T18:00"
    )
    assert down(office, at(19, day=4)).until == "2026-11-30T08:00", "a weekend lies between"


def test_the_first_that_matches_wins_and_one_that_says_nothing_is_passed_over() -> None:
    both = settings("mon 12:00-13:00 down=1", "mon up=7", OFFICE)
    assert down(both, at(12)).speed == 1 << 10
    assert down(both, at(11)).rule == OFFICE
    assert limits.standing(both, "upload", at(12), None).speed == 7 << 10


def test_it_goes_on_past_midnight() -> None:
    night = settings(NIGHT)
    assert down(night, at(23)) == SpeedLimit(speed=-1, by="schedule", rule=NIGHT, until="2026-11-24T06:00")
    assert down(night, at(3)).by == "schedule"


def test_the_end_of_a_rule_that_changes_nothing_is_not_told() -> None:
    twice = settings("daily 08:00-12:00 down=500", "daily 12:00-18:00 down=500")
    assert down(twice, at(9)).until == "2026-11-23T18:00"
    assert down(settings("daily down=500"), at(9)).until is None


def test_by_hand_goes_before_all_else_until_something_else_is_configured() -> None:
    office = settings(OFFICE)
    hand = {"download": ByHand(-1, limits.configured(office, "download", at(9)))}
    assert limits.still(hand, office, at(17, 59)) == hand
    assert down(office, at(9), hand["download"]) == SpeedLimit(speed=-1, by="hand", until="2026-11-23T18:00")
    assert limits.still(hand, office, at(18)) == {}, "the schedule goes on"
    assert limits.still(hand, settings(OFFICE, down=1), at(9)) == hand, "an edit of what does not hold now"
    assert limits.still(hand, settings(OFFICE.replace("500", "600")), at(9)) == {}


def test_a_day_with_an_hour_twice_or_not_at_all_keeps_its_times() -> None:
    """Local time alone counts: the clock of 2026-10-25 in Berlin shows 02:30 twice, that of 03-29 never."""
    rule = settings("sun 02:00-03:00 down=5")
    for fold in (0, 1):
        assert down(rule, datetime.fromisoformat("2026-10-25T02:30").replace(fold=fold)).by == "schedule"
    assert down(rule, datetime.fromisoformat("2026-03-29T01:59")).by == "configuration"
    assert down(rule, datetime.fromisoformat("2026-03-29T03:00")).by == "configuration"


_RULES = st.lists(
    st.builds(
        lambda first, last, start, end, speed: (
            f"{first}-{last} {start:02}:15-{end:02}:45 down={speed} up=none"
        ),
        *[st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"])] * 2,
        *[st.integers(0, 23)] * 2,
        st.integers(1, 3),
    ),
    max_size=4,
)


@given(_RULES, st.integers(0, 7 * 1440 - 1))
def test_nothing_changes_before_the_time_told_and_something_does_then(rules: list[str], minute: int) -> None:
    some, now = settings(*rules), MONDAY + timedelta(minutes=minute)
    for way in WAYS:
        told = limits.standing(some, way, now, None)
        end = datetime.fromisoformat(told.until) if told.until else now + timedelta(days=7)
        steps = [now + (end - now) * n / 50 for n in range(50)]
        assert {limits.configured(some, way, step) for step in steps} == {told.speed}
        if told.until:
            assert limits.configured(some, way, end) != told.speed
            assert limits.configured(some, way, end - timedelta(minutes=1)) == told.speed
