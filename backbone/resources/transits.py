"""Moves between an inventory and a region, by ids that regions choose. The rules are in storage/transits.py."""

from __future__ import annotations

import time
from typing import Any

from backbone.errors import BadRequest, Forbidden
from backbone.http.kit import Call, Reply, Resource, operation, resource
from backbone.http.schemas import ID, ITEM, ITEM_OPEN, MAYBE_ID, NEW_ITEM, UNIX_TIME, array, maybe, record
from backbone.resources.inventory import CHANGE, MISSING, OLD_EPOCH
from backbone.storage.interfaces import TransitStore

MAX_CLOSED = 1000  # in one call

TRANSIT = record(
    "Transit",
    {
        "transit_id": ID,
        "region_id": ID,
        "agent_id": MAYBE_ID,
        "state": {"type": "string", "enum": ["made", "held", "released", "void"]},
        "item": maybe(ITEM),
        "since": UNIX_TIME,
        "closed": maybe(UNIX_TIME),
    },
)
INTO = record(
    "IntoInventory",
    {"region_id": ID, "agent_id": ID, "item": NEW_ITEM, "change": record(None, {"item_id": ID, **ITEM_OPEN}, tuple(ITEM_OPEN))},
    ("item", "change"),
)
OUT = record("OutOfInventory", {"region_id": ID, "agent_id": ID, "item_id": ID})
VOID = record("VoidMove", {"region_id": ID})
CLOSED = record("ClosedMoves", {"region_id": ID, "transit_ids": array(ID, MAX_CLOSED)})
ONCE: dict[str, Any] = {**CHANGE, "status": 201, "other_statuses": {200: "asked again: what came of it then"}}


class TransitResource(Resource):
    def store(self, call: Call) -> TransitStore:
        """The moves, as the caller may write them: a region by its claim."""
        return self.services.stores.under(call.fence()).transits


def _made(outcome: tuple[dict[str, Any], bool]) -> Reply:
    made, new = outcome
    return Reply(made, 201 if new else 200)


@resource("/transits", "transits")
class Transits(TransitResource):
    @operation(
        "Moves that their regions have not done with, the oldest first",
        query={"region_id": "only those of that region"},
        answer=record("Transits", {"transits": array(TRANSIT)}),
    )
    def on_get(self, call: Call) -> Any:
        region_id = call.query_id("region_id") if call.query("region_id") is not None else None
        return {"transits": self.store(call).open_moves(region_id)}


@resource("/transits/{transit_id}/into", "transits")
class IntoInventory(TransitResource):
    @operation("Once: a new item, or a change of one, for what a region gives up", body=INTO, answer=TRANSIT, **ONCE)
    def on_put(self, call: Call) -> Any:
        body, now = call.body, int(time.time())
        named = call.id("transit_id"), body["region_id"], body["agent_id"]
        if ("item" in body) == ("change" in body):
            raise BadRequest("a move into an inventory has either an item or a change")
        if "change" in body:
            changes = dict(body["change"])
            return _made(self.store(call).change(*named, changes.pop("item_id"), changes, now))
        if body["item"].get("owner_id", body["agent_id"]) != body["agent_id"]:
            raise Forbidden("the owner of an item is the agent in whose inventory it is")
        return _made(self.store(call).put_in(*named, body["item"], now))


@resource("/transits/{transit_id}/out", "transits")
class OutOfInventory(TransitResource):
    @operation("Once: an item leaves the inventory and is held until its region has it", body=OUT, answer=TRANSIT, **ONCE)
    def on_put(self, call: Call) -> Any:
        body = call.body
        named = call.id("transit_id"), body["region_id"], body["agent_id"], body["item_id"]
        return _made(self.store(call).hold(*named, int(time.time())))


@resource("/transits/{transit_id}/release", "transits")
class ReleaseTransit(TransitResource):
    @operation("The region has what was held; void says that it must not", answer=TRANSIT, errors={**MISSING, 409: OLD_EPOCH})
    def on_post(self, call: Call) -> Any:
        return self.store(call).release(call.id("transit_id"))


@resource("/transits/{transit_id}/void", "transits")
class VoidTransit(TransitResource):
    @operation(
        "It has not happened: what was held is back. What has happened stays so, and the answer says it",
        body=VOID,
        answer=TRANSIT,
        errors={409: OLD_EPOCH},
    )
    def on_post(self, call: Call) -> Any:
        return self.store(call).void(call.id("transit_id"), call.body["region_id"], int(time.time()))


@resource("/transits/closed", "transits")
class ClosedTransits(TransitResource):
    @operation("The region will not ask for these again", body=CLOSED, errors={409: OLD_EPOCH})
    def on_post(self, call: Call) -> Any:
        self.store(call).close(call.body["region_id"], call.body["transit_ids"], int(time.time()))


RESOURCES: list[type[Resource]] = [Transits, IntoInventory, OutOfInventory, ReleaseTransit, VoidTransit, ClosedTransits]
