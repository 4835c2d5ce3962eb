"""What an action returns where it does not do what was wished."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was changed. `words` are for the person, empty where seeing the true state says enough; `why` is for the
    count of refusals by kind."""

    words: str = ""
    why: str = "not permitted"
