"""Gifts from one inventory to another, and what came of an inventory over time. The rules are in storage/gifts.py and
storage/history.py."""

from __future__ import annotations

import time
from typing import Any

from backbone.http.kit import Call, Resource, operation, resource
from backbone.http.schemas import (
    BOOLEAN,
    GIFT,
    ID,
    INVENTORY_HISTORY,
    ITEM_MEMBERS,
    MAYBE_ID,
    RESTORE,
    RESTORED,
    TRASH,
    array,
    maybe,
    record,
    text,
)
from backbone.resources.inventory import CHANGE, MANY_BYTES, MISSING, InventoryResource

MOST_CHANGES = 1000  # of a history in one answer
WANTED = ("item_id", "folder_id", "things")
GIVEN_ITEM = record(
    "GivenItem",
    ITEM_MEMBERS,
    tuple(name for name in ITEM_MEMBERS if name not in ("item_id", "asset_id", "name", "type", "inv_type")),
)
GIVE = record(
    "Give",
    {
        "gift_id": {**ID, "description": "chosen by the caller: the same again is the same gift"},
        "to_agent_id": ID,
        "item_id": ID,
        "folder_id": ID,
        "things": record(
            None,
            {
                "name": {**maybe(text(255, 1)), "description": "of the folder they come in; null for a single one"},
                "items": {**array(GIVEN_ITEM, 1000), "minItems": 1},
            },
        ),
    },
    WANTED,
)
GIVE["oneOf"] = [{"required": [name]} for name in WANTED]
ANSWER = record("GiftAnswer", {"accepted": BOOLEAN, "folder_id": MAYBE_ID}, ("folder_id",))


@resource("/agents/{agent_id}/gifts", "gifts")
class Gifts(InventoryResource):
    @operation("Gifts to the agent that wait for its answer, oldest first", answer=record("Gifts", {"gifts": array(GIFT)}))
    def on_get(self, call: Call) -> Any:
        return {"gifts": self.store(call).gifts_to(call.id("agent_id"))}

    @operation(
        "Give an item, a folder with all it holds, or things out of an object of the agent's, to another agent: copies of "
        "what may be copied, the things themselves of what may not. All of it or nothing, and once for a gift_id",
        body=GIVE,
        answer=GIFT,
        max_body=MANY_BYTES,
        grows=True,
        **CHANGE,
    )
    def on_post(self, call: Call) -> Any:
        return self.store(call).give(call.id("agent_id"), call.body, int(time.time()))


@resource("/agents/{agent_id}/gifts/{gift_id}", "gifts")
class GiftAnswer(InventoryResource):
    @operation(
        "The receiver accepts a gift, into a folder if it names one, or declines it: what was copied goes to its trash, what "
        "was moved goes back to the giver",
        body=ANSWER,
        answer=GIFT,
        errors={404: "no such gift to this agent", 409: "it gave the other answer before"},
    )
    def on_put(self, call: Call) -> Any:
        agent_id, body = call.id("agent_id"), call.body
        answer = (call.id("gift_id"), body["accepted"], body.get("folder_id"), int(time.time()))
        return self.store(call).answer_gift(agent_id, *answer)


@resource("/agents/{agent_id}/inventory/history", "inventory")
class History(InventoryResource):
    @operation(
        "What became of the folders and items, newest first",
        query={"since": "unix seconds; default: all that is known", "most": f"how many, at most {MOST_CHANGES}"},
        answer=INVENTORY_HISTORY,
        errors=MISSING,
    )
    def on_get(self, call: Call) -> Any:
        since = call.query_int("since") if call.query("since") is not None else 0
        most = call.query_int("most") if call.query("most") is not None else MOST_CHANGES
        return self.store(call).history(call.id("agent_id"), float(since), min(most, MOST_CHANGES))


@resource("/agents/{agent_id}/inventory/trash", "inventory")
class Trash(InventoryResource):
    @operation("What lies in the trash, since when, and where it was before", answer=TRASH, errors=MISSING)
    def on_get(self, call: Call) -> Any:
        return self.store(call).trash(call.id("agent_id"))


@resource("/agents/{agent_id}/inventory/restore", "inventory")
class Restore(InventoryResource):
    @operation(
        "Bring the inventory back to what it held at a moment. What came since stays; what cannot be copied and left does not "
        "come back. With dry_run only what that would be is told",
        body=RESTORE,
        grows=True,
        answer=RESTORED,
        errors={**MISSING, 409: "the history does not reach back so far"},
    )
    def on_post(self, call: Call) -> Any:
        return self.store(call).restore(call.id("agent_id"), float(call.body["to"]), call.body.get("dry_run", False))


RESOURCES: list[type[Resource]] = [Gifts, GiftAnswer, History, Trash, Restore]
