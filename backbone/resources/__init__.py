"""The REST resources, one file a family. ALL lists them in the order the API's document shows."""

from __future__ import annotations

from backbone.http.kit import Resource
from backbone.resources import (
    conferences,
    friends,
    gifts,
    health,
    inventory,
    login,
    messages,
    notebook,
    people,
    presence,
    public,
    regions,
    transits,
)

ALL: list[type[Resource]] = [
    *login.RESOURCES,
    *public.RESOURCES,
    *health.RESOURCES,
    *presence.RESOURCES,
    *regions.RESOURCES,
    *people.RESOURCES,
    *notebook.RESOURCES,
    *friends.RESOURCES,
    *messages.RESOURCES,
    *conferences.RESOURCES,
    *inventory.RESOURCES,
    *gifts.RESOURCES,
    *transits.RESOURCES,
]
