"""The region directory: which regions there are, who is in them, and the leases their sims hold."""

from __future__ import annotations

from typing import Any

from backbone.errors import BadRequest
from backbone.http.kit import Call, Reply, Resource, operation, resource
from backbone.http.schemas import (
    HEARTBEAT,
    HEARTBEAT_ANSWER,
    LEASE,
    OWNER_ID,
    REGION,
    REGION_AGENTS,
    REGION_CLAIM,
    REGIONS,
    record,
)
from backbone.resources.presence import BRIEFLY
from backbone.storage.regions import Fence, OldEpoch
from protocol.wellknown import NULL, WATER_HEIGHT

HEARTBEAT_BYTES = 4 * 1024 * 1024  # 20,000 agents
MOST_RADIUS = 1000
OLD = {409: "the epoch is old"}


@resource("/regions", "regions")
class Regions(Resource):
    @operation(
        "Regions of the grid: all, those near a square, those that changed since a version, or by name or square. "
        "online says whether the lease still runs",
        answer=REGIONS,
        public=True,
        varies=True,
        cache=BRIEFLY,
        query={
            "near": "a grid square, x,y: those around it",
            "radius": f"how many squares away at most, in either direction, with near: 0 to {MOST_RADIUS}; 1 unless given",
            "since": "the version of an earlier answer: only what changed after it",
            "name": "the region of that name; case does not matter",
            "square": "the region on a grid square, x,y",
            "search": "live regions with that in their names",
        },
    )
    def on_get(self, call: Call) -> Any:
        regions = self.services.regions
        name, text = call.query("name"), call.query("search")
        if name is not None:
            return regions.named(name, call.trusted)
        if text is not None:
            return regions.search(text[:100], call.trusted)
        square, near = call.query_square("square"), call.query_square("near")
        if square is not None:
            return regions.at(*square, call.trusted)
        since = call.query_int("since") if call.query("since") is not None else None
        if near is not None:
            radius = call.query_int("radius") if call.query("radius") is not None else 1
            if radius > MOST_RADIUS:
                raise BadRequest(f"radius is at most {MOST_RADIUS}")
            return regions.near(*near, radius, since, call.trusted)
        return regions.changed(since, call.trusted) if since is not None else Reply(regions.everything(call.trusted))


@resource("/regions/{region_id}", "regions")
class OneRegion(Resource):
    @operation("One region", answer=REGION, public=True, varies=True, cache=BRIEFLY, errors={404: "no such region"})
    def on_get(self, call: Call) -> Any:
        return self.services.regions.one(call.id("region_id"), call.trusted)

    @operation(
        "Claim a region: a lease under a new epoch, which makes any older epoch of it worthless",
        body=REGION_CLAIM,
        answer=LEASE,
        errors={409: "another process's lease on the region, the square or the name still runs"},
    )
    def on_put(self, call: Call) -> Any:
        usual = {"inner_url": None, "access": "M", "water_height": WATER_HEIGHT, "map_image_id": str(NULL)}
        wanted = {**usual, **call.body, "region_id": call.id("region_id")}
        held_by = wanted.pop("owner")
        return self.services.regions.claim(wanted, held_by)

    @operation(
        "Give a region back; its agents go offline", query={"epoch": "the epoch it is held by"}, errors=OLD
    )
    def on_delete(self, call: Call) -> Any:
        self.services.regions.give_back(call.id("region_id"), call.query_int("epoch"))


@resource("/regions/{region_id}/owner", "regions")
class RegionOwner(Resource):
    @operation(
        "Whose land a region is; null: the grid's owner's",
        body=record("RegionOwner", {"owner_id": OWNER_ID}),
        answer=REGION,
        errors={404: "no such region or account"},
    )
    def on_put(self, call: Call) -> Any:
        return self.services.regions.give(call.id("region_id"), call.body["owner_id"])


@resource("/regions/{region_id}/presence", "regions")
class RegionHeartbeat(Resource):
    @operation(
        "Heartbeat: renews the lease and lists all root agents; the answer lists those to close",
        body=HEARTBEAT,
        answer=HEARTBEAT_ANSWER,
        errors=OLD,
        max_body=HEARTBEAT_BYTES,
    )
    def on_put(self, call: Call) -> Any:
        region_id, epoch, agents = call.id("region_id"), call.body["epoch"], call.body["agents"]
        if call.fence() not in (None, Fence(region_id, epoch)):
            raise OldEpoch
        listed = [(agent["agent_id"], agent["session_id"]) for agent in agents]
        answer = self.services.regions.heartbeat(region_id, epoch, listed)
        self.services.metrics.heartbeats.inc()
        self.services.metrics.heartbeat_agents.inc(len(listed))
        return answer


@resource("/regions/{region_id}/agents", "regions")
class RegionAgents(Resource):
    @operation(
        "Who is in a region (root agents). Without the grid secret: the number of all, and those who let everybody see it",
        answer=REGION_AGENTS,
        public=True,
        varies=True,
        cache=BRIEFLY,
        errors={404: "no such region"},
    )
    def on_get(self, call: Call) -> Any:
        return self.services.whereabouts.in_region(call.id("region_id"), call.trusted)


RESOURCES: list[type[Resource]] = [Regions, OneRegion, RegionOwner, RegionHeartbeat, RegionAgents]
