"""Which speed limits hold now, and why.  Pure.

In this order: what somebody set by hand, the first rule of the schedule that holds, the configuration.  What
was set by hand holds until the other two say something else than they did when it was set: the file is
edited, or an hour of the schedule begins or ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from htdl import timetable
from htdl.answers import SpeedLimit
from htdl.config import Config
from htdl.timetable import Rule

Way = Literal["download", "upload"]
WAYS: tuple[Way, Way] = ("download", "upload")
_DAYS_AHEAD = 8  # a week, and the rest of a rule that goes past midnight


@dataclass(frozen=True, slots=True)
class ByHand:
    """Bytes a second, -1 for none; `instead_of` is what else would have held when it was set."""

    speed: int
    instead_of: int


def configured(config: Config, way: Way, at: datetime) -> int:
    """Bytes a second, -1 for none, by the schedule and the configuration at this local time."""
    rule = _rule(config, way, at)
    return _plain(config, way) if rule is None else _speed(rule, way)


def still(by_hand: Mapping[Way, ByHand], config: Config, at: datetime) -> dict[Way, ByHand]:
    """Of what was set by hand that which holds still."""
    return {way: x for way, x in by_hand.items() if configured(config, way, at) == x.instead_of}


def standing(config: Config, way: Way, at: datetime, by_hand: ByHand | None) -> SpeedLimit:
    """What holds, why, and until when; `by_hand` is one that holds still."""
    rule = _rule(config, way, at)
    until = _next_change(config, way, at)
    until_text = until.isoformat(timespec="minutes") if until else None
    if by_hand:
        return SpeedLimit(speed=by_hand.speed, by="hand", until=until_text)
    if rule:
        return SpeedLimit(speed=_speed(rule, way), by="schedule", rule=rule.text, until=until_text)
    return SpeedLimit(speed=_plain(config, way), by="configuration", until=until_text)


def _rule(config: Config, way: Way, at: datetime) -> Rule | None:
    """The first that holds and says something of this way."""
    rules = _rules(config)
    return next((x for x in rules if getattr(x, way) is not None and x.holds(at)), None)


def _rules(config: Config) -> Iterable[Rule]:
    return map(timetable.parse, config.limit.schedule)


def _speed(rule: Rule, way: Way) -> int:
    speed: int = getattr(rule, way)
    return speed


def _plain(config: Config, way: Way) -> int:
    """What the configuration says without its schedule."""
    kib: int = getattr(config.torrent, f"max_{way}_speed")
    return -1 if kib < 0 else max(1, kib * 1024)  # 0 would be no limit to the engine


def _next_change(config: Config, way: Way, at: datetime) -> datetime | None:
    """When the clock on the wall next shows a time at which something else is configured; None for never."""
    now, midnight = configured(config, way, at), at.replace(hour=0, minute=0, second=0, microsecond=0)
    minutes = {minute for rule in _rules(config) for minute in (rule.start, rule.end)}
    for day in range(_DAYS_AHEAD):
        for minute in sorted(minutes):
            then = midnight + timedelta(days=day, minutes=minute)
            if then > at and configured(config, way, then) != now:
                return then
    return None
