"""The region directory: which regions there are, who is in them, and the leases their sims hold."""

from __future__ import annotations

import time
from typing import Any

from backbone.directory import OldEpoch
from backbone.http.kit import Call, Resource, conflict, not_found, operation, resource
from backbone.http.schemas import (
    HEARTBEAT,
    HEARTBEAT_ANSWER,
    LEASE,
    REGION,
    REGION_AGENTS,
    REGION_CLAIM,
    array,
    record,
)
from backbone.resources.presence import BRIEFLY
from backbone.storage.regions import Held
from protocol.wellknown import NULL, WATER_HEIGHT

HEARTBEAT_BYTES = 4 * 1024 * 1024  # 20,000 agents
OLD = "another claim holds the region: this epoch is old"


@resource("/regions", "regions")
class Regions(Resource):
    @operation(
        "All regions of the grid; online says whether the lease still runs",
        answer=record("Regions", {"regions": array(REGION)}),
        public=True,
        cache=BRIEFLY,
    )
    def on_get(self, call: Call) -> Any:
        directory, presence = self.services.directory, self.services.presence
        known = sorted(directory.regions.values(), key=lambda r: (r.grid_y, r.grid_x))
        return {"regions": [directory.show(region, presence.count(region.region_id)) for region in known]}


@resource("/regions/{region_id}", "regions")
class OneRegion(Resource):
    @operation("One region", answer=REGION, public=True, cache=BRIEFLY, errors={404: "no such region"})
    def on_get(self, call: Call) -> Any:
        region = self.services.directory.regions.get(call.id("region_id"))
        if region is None:
            raise not_found(f"no region {call.id('region_id')}")
        return self.services.directory.show(region, self.services.presence.count(region.region_id))

    @operation(
        "Claim a region: a lease under a new epoch, which makes any older epoch of it worthless",
        body=REGION_CLAIM,
        answer=LEASE,
        errors={409: "another live region holds the square or the name"},
    )
    def on_put(self, call: Call) -> Any:
        region_id = call.id("region_id")
        wanted = {"access": "M", "water_height": WATER_HEIGHT, "map_image_id": str(NULL), **call.body}
        try:
            region = self.services.directory.claim({**wanted, "region_id": region_id})
        except Held as error:
            raise conflict(str(error)) from None
        except OldEpoch:
            raise conflict(OLD) from None
        # Whoever ran it before has nobody in it any more; the new owner's heartbeats say who is there.
        self.services.presence.clear_region(region_id, time.monotonic())
        return {"epoch": region.epoch, "lease_seconds": self.services.directory.lease_seconds}

    @operation(
        "Give a region back; its agents go offline",
        query={"epoch": "the epoch it is held by"},
        errors={409: "the epoch is old"},
    )
    def on_delete(self, call: Call) -> Any:
        region_id = call.id("region_id")
        try:
            self.services.directory.release(region_id, call.query_int("epoch"))
        except OldEpoch:
            raise conflict(OLD) from None
        self.services.presence.clear_region(region_id, time.monotonic())
        return None


@resource("/regions/{region_id}/presence", "regions")
class RegionHeartbeat(Resource):
    @operation(
        "Heartbeat: renews the lease and lists all root agents; the answer lists those to close",
        body=HEARTBEAT,
        answer=HEARTBEAT_ANSWER,
        errors={409: "the epoch is old"},
        max_body=HEARTBEAT_BYTES,
    )
    def on_put(self, call: Call) -> Any:
        region_id, body = call.id("region_id"), call.body
        try:
            self.services.directory.renew(region_id, body["epoch"])
        except OldEpoch:
            raise conflict(OLD) from None
        listed = [(agent["agent_id"], agent["session_id"]) for agent in body["agents"]]
        gone = self.services.presence.heartbeat(region_id, listed, time.monotonic(), int(time.time()))
        self.services.metrics.heartbeats.inc()
        self.services.metrics.heartbeat_agents.inc(len(listed))
        return {"lease_seconds": self.services.directory.lease_seconds, "gone": gone}


@resource("/regions/{region_id}/agents", "regions")
class RegionAgents(Resource):
    @operation(
        "Who is in a region (root agents)",
        answer=REGION_AGENTS,
        public=True,
        cache=BRIEFLY,
        errors={404: "no such region"},
    )
    def on_get(self, call: Call) -> Any:
        region_id = call.id("region_id")
        if region_id not in self.services.directory.regions:
            raise not_found(f"no region {region_id}")
        there = sorted(self.services.presence.agents_in(region_id), key=lambda s: (s.name.lower(), s.agent_id))
        agents = [{"agent_id": s.agent_id, "name": s.name, "since": s.since} for s in there]
        return {"region_id": region_id, "count": len(agents), "agents": agents}


RESOURCES: list[type[Resource]] = [Regions, OneRegion, RegionHeartbeat, RegionAgents]
