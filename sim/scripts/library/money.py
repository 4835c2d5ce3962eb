"""Money: what objects are paid and pay. A grid without money refuses every payment, as Second Life does one that cannot be covered.

Source of all: the functions' pages on the LSL wiki.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from sim.scripts.language.values import NULL_KEY, Item, Key
from sim.scripts.library.declare import ll
from sim.scripts.library.things import actor_of, prim_of, region_of, uuid_of
from sim.scripts.machine.throttle import Limit
from sim.world.changes import What

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

PAYMENTS = Limit(30, 30.0)  # of an owner's scripts
HIDE, DEFAULT = -1, -2  # PAY_*
BUTTONS = 4


@ll
def llSetPayPrice(script: Script, price: int, quick_pay_buttons: list[Item]) -> None:
    """What viewers offer to who pays the object: a price to type, and four buttons; PAY_HIDE and PAY_DEFAULT for either."""
    from sim.actions import edit

    buttons = [value if isinstance(value, int) else DEFAULT for value in quick_pay_buttons[:BUTTONS]]
    prices = tuple([max(value, DEFAULT) for value in (price, *buttons, *[DEFAULT] * (BUTTONS - len(buttons)))])
    edit.rare(region_of(script), actor_of(script), prim_of(script), What.RIGHTS, pay=prices)


def _pay(script: Script, destination: Key, amount: int, function: str) -> Key:
    if str(script.granter) != str(prim_of(script).owner_id):
        script.complain(f"{function}: only the object's owner can grant that it pays")
        return NULL_KEY
    if amount <= 0 or uuid_of(destination).int == 0 or not script.allowed(PAYMENTS, "payments"):
        return NULL_KEY
    key = Key(str(uuid4()))
    script.world.gifts.pay(script, uuid_of(destination), amount, key)
    return key


@ll
def llGiveMoney(script: Script, destination: Key, amount: int) -> int:
    """Pays somebody from the account of the owner, who granted PERMISSION_DEBIT. Always 0; the script is not told what came of it."""
    _pay(script, destination, amount, "llGiveMoney")
    return 0


@ll
def llTransferLindenDollars(script: Script, destination: Key, amount: int) -> Key:
    """Pays somebody from the account of the owner, who granted PERMISSION_DEBIT. What came of it is told by a transaction_result event
    with this key: TRUE and what was paid, or FALSE and an error."""
    return _pay(script, destination, amount, "llTransferLindenDollars")
