"""Regions as sims claim them and everybody asks for them: the directory, with the people in it and whose land it is."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any

from backbone.directory import Directory, Region
from backbone.errors import NotFound
from backbone.people import People
from backbone.presence import Presence
from backbone.whereabouts import Whereabouts

log = logging.getLogger(__name__)
MOST_FOUND = 100
LISTING_SECONDS = 1.0  # the whole listing is made once in so long: it is 1.2 MB at 4,000 regions
OWNER_SECONDS = 0.5  # between looks for the grid's owner, while there is none


class Regions:
    def __init__(
        self,
        directory: Directory,
        presence: Presence,
        whereabouts: Whereabouts,
        people: People,
        owner_name: str | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``owner_name``: the account whose land is all that was given to nobody; None: the grid's first account."""
        self._directory, self._presence, self._whereabouts, self._people = directory, presence, whereabouts, people
        self._owner_name = owner_name
        self._owner_id: str | None = None
        self._owner_known = False  # the account named may be made yet
        self._look_again = 0.0
        self._said = False
        self._clock = clock
        self._listings: dict[bool, tuple[float, bytes]] = {}  # for bearers of the grid secret, and for strangers

    # claims ---------------------------------------------------------------------------------------

    def claim(self, wanted: dict[str, Any], held_by: str) -> dict[str, Any]:
        """LEASE for a region of that process, with its row; Held, OldEpoch."""
        region = self._directory.claim(wanted, held_by)
        # Whoever ran it before has nobody in it any more; the new owner's heartbeats say who is there.
        self._whereabouts.region_is_gone(region.region_id)
        lease = {
            "epoch": region.epoch,
            "lease_seconds": self._directory.lease_seconds,
            "takeover_seconds": self._directory.takeover_seconds,
        }
        return {**lease, "region_owner_id": self.owner_of(region), "region": self.show(region)}

    def give_back(self, region_id: str, epoch: int) -> None:
        """The lease ends and its agents are offline. OldEpoch."""
        self._directory.release(region_id, epoch)
        self._whereabouts.region_is_gone(region_id)

    def heartbeat(self, region_id: str, epoch: int, listed: list[tuple[str, str]]) -> dict[str, Any]:
        """HEARTBEAT_ANSWER; OldEpoch."""
        gone = self._whereabouts.heartbeat(region_id, epoch, listed)
        region = self._directory.get(region_id)
        owner = self.owner_of(region) if region is not None else None
        return {"lease_seconds": self._directory.lease_seconds, "gone": gone, "region_owner_id": owner}

    # whose land -----------------------------------------------------------------------------------

    def owner_of(self, region: Region) -> str | None:
        """The account whose land it is; None while the grid has no accounts."""
        return region.owner_id or self._grid_owner()

    def give(self, region_id: str, owner_id: str | None) -> dict[str, Any]:
        """Whose land it is from now on; None gives it to the grid's owner. NotFound."""
        if owner_id is not None:
            self._people.must_exist(owner_id)
        if not self._directory.give(region_id, owner_id):
            raise NotFound(f"no region {region_id}")
        return self.one(region_id)

    def _grid_owner(self) -> str | None:
        if not self._owner_known and self._clock() >= self._look_again:
            self._look_again = self._clock() + OWNER_SECONDS  # each heartbeat asks
            named = self._people.called(self._owner_name) if self._owner_name else None
            if named is None and self._owner_name and not self._said:
                self._said = True
                log.warning("the grid's owner shall be %r, and there is no such account", self._owner_name)
            found = named or self._people.eldest()
            self._owner_id = found["agent_id"] if found is not None else None
            self._owner_known = found is not None and (named is not None or not self._owner_name)
        return self._owner_id

    # asked ----------------------------------------------------------------------------------------

    def show(self, region: Region, trusted: bool = True) -> dict[str, Any]:
        """REGION as the API shows it; to those whom the grid trusts with its inner address."""
        inner = {"inner_url": region.services_url} if trusted else {}
        return {
            **inner,
            "region_id": region.region_id,
            "name": region.name,
            "grid_x": region.grid_x,
            "grid_y": region.grid_y,
            "ip": region.ip,
            "port": region.port,
            "http_url": region.http_url,
            "access": region.access,
            "water_height": region.water_height,
            "map_image_id": region.map_image_id,
            "epoch": region.epoch,
            "owner_id": self.owner_of(region),
            "size": 256,
            "online": self._directory.is_live(region),
            "agents": self._presence.count(region.region_id),
        }

    def one(self, region_id: str, trusted: bool = True) -> dict[str, Any]:
        """REGION; NotFound."""
        region = self._directory.get(region_id)
        if region is None:
            raise NotFound(f"no region {region_id}")
        return self.show(region, trusted)

    def everything(self, trusted: bool) -> bytes:
        """REGIONS as JSON, all of them: no older than a second."""
        now, made = self._clock(), self._listings.get(trusted)
        if made is None or now - made[0] > LISTING_SECONDS:
            made = self._listings[trusted] = (now, json.dumps(self._told(self._directory.every(), None, trusted)).encode())
        return made[1]

    def near(self, grid_x: int, grid_y: int, radius: int, since: int | None, trusted: bool) -> dict[str, Any]:
        """REGIONS at most so many squares away; with ``since`` those that changed after that version."""
        return self._told(self._directory.near(grid_x, grid_y, radius), since, trusted)

    def changed(self, since: int, trusted: bool) -> dict[str, Any]:
        """REGIONS that changed after that version."""
        return self._told(self._directory.every(), since, trusted)

    def named(self, name: str, trusted: bool) -> dict[str, Any]:
        region = self._directory.called(name)
        return self._told([region] if region is not None else [], None, trusted)

    def at(self, grid_x: int, grid_y: int, trusted: bool) -> dict[str, Any]:
        region = self._directory.at(grid_x, grid_y)
        return self._told([region] if region is not None else [], None, trusted)

    def search(self, text: str, trusted: bool) -> dict[str, Any]:
        """Live regions whose name contains the text."""
        return self._told(self._directory.search(text, MOST_FOUND), None, trusted)

    def _told(self, among: list[Region], since: int | None, trusted: bool) -> dict[str, Any]:
        changes = self._directory.changes(among, since)
        return {
            "version": changes.version,
            "whole": changes.whole,
            "regions": [self.show(region, trusted) for region in changes.regions],
            "gone": changes.gone,
        }
