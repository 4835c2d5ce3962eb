"""Moments as people type them at the command line."""

import re
from datetime import datetime, timedelta

from grid.errors import GridError

_AGO = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*([smhd])")
_UNIX = re.compile(r"@(\d{1,11}(?:\.\d{1,6})?)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_FORMS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d")
_OF_A_DAY = ("%H:%M:%S", "%H:%M")


def moment(text: str, now: datetime) -> float:
    """Unix seconds of "20m", "1h" or "2d" ago, of "14:30" (the latest one), or of "2026-01-31 14:30", in this machine's time;
    "@1769857200.25" is unix seconds already.

    GridError names what is none.
    """
    text = text.strip()
    if ago := _AGO.fullmatch(text):
        return now.timestamp() - float(ago[1]) * _SECONDS[ago[2]]
    if unix := _UNIX.fullmatch(text):
        return float(unix[1])
    for form in _FORMS:
        try:
            return datetime.strptime(text, form).timestamp()
        except (ValueError, OverflowError):
            continue
    for form in _OF_A_DAY:
        try:
            clock = datetime.strptime(text, form)
        except ValueError:
            continue
        found = now.replace(hour=clock.hour, minute=clock.minute, second=clock.second, microsecond=0)
        return (found if found <= now else found - timedelta(days=1)).timestamp()
    raise GridError(f"{text!r} is no moment", 'for example: 20m, 2h, 3d (ago), 14:30, "2026-01-31 14:30"')


def shown(seconds: float) -> str:
    """A moment for people, in this machine's time."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")
