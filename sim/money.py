"""Money: the one place that decides whether somebody can pay.

Mainland has none. A grid that has some gives its regions another `Money`; everything that costs anything asks it first, and
does what was paid for only when it says yes.
"""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from sim.actions.outcome import Refused

NO_MONEY = "There is no money here: only what is free can be bought."


class Money(Protocol):
    async def pay(self, payer: UUID, payee: UUID, amount: int, what: str, transaction: UUID) -> Refused | None:
        """Pay for `what` (words for both). None: it is paid, once for a transaction however often it is asked for. Refused: it
        is not, with words for the payer."""

    async def pay_back(self, transaction: UUID) -> None:
        """What was paid for could not be done. May be repeated."""


class NoMoney:
    """What is free is paid; nothing else can be."""

    async def pay(self, payer: UUID, payee: UUID, amount: int, what: str, transaction: UUID) -> Refused | None:
        return Refused(NO_MONEY, "no money") if amount > 0 else None

    async def pay_back(self, transaction: UUID) -> None:
        """Nothing was paid."""
