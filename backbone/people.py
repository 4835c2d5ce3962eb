"""People of the grid: their accounts, names, passwords, profiles and homes."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from backbone import names
from backbone.directory import Directory
from backbone.errors import BadRequest, Forbidden, NotFound
from backbone.guests import Guests
from backbone.hashing import Hasher
from backbone.login.limits import LoginLimits
from backbone.passwords import MAX_PASSWORD, digest
from backbone.presence import Presence
from backbone.storage.interfaces import PeopleStore, Place
from protocol.wellknown import NULL

log = logging.getLogger(__name__)
NAMES_KEPT = 50_000
MAX_SEARCH = 100
INTERESTS = {"want_mask": 0, "want_text": "", "skills_mask": 0, "skills_text": "", "languages": ""}


class People:
    def __init__(
        self,
        store: PeopleStore,
        presence: Presence,
        directory: Directory,
        hasher: Hasher,
        limits: LoginLimits,
        guests: Guests,
        made: Callable[[], None] = lambda: None,
    ) -> None:
        """``made`` is called after each account that was made here."""
        self._store, self._presence, self._directory, self._hasher = store, presence, directory, hasher
        self._limits, self._guests, self._made = limits, guests, made
        self._names: OrderedDict[str, str] = OrderedDict()  # never renamed: what was read once stays right

    # who there is ---------------------------------------------------------------------------------

    def name(self, agent_id: str) -> str | None:
        """ "First Last", or None when there is no such account."""
        name = self._names.get(agent_id)
        if name is None:
            row = self._store.by_id(agent_id)
            if row is None:
                return None
            name = self._names[agent_id] = f"{row['first']} {row['last']}"
            while len(self._names) > NAMES_KEPT:
                self._names.popitem(last=False)
        return name

    def must_exist(self, agent_id: str) -> str:
        """The id, if it is an account's; NotFound else."""
        if self.name(agent_id) is None:
            raise NotFound(f"no account {agent_id}")
        return agent_id

    def known(self, agent_ids: Iterable[str]) -> list[str]:
        """Those of the ids that are accounts, in their order."""
        ids = list(dict.fromkeys(agent_ids))
        missing = [one for one in ids if one not in self._names and self._presence.session_of(one) is None]
        found = {row["agent_id"] for row in self._store.by_ids(missing)} if missing else set()
        return [one for one in ids if one in found or one in self._names or self._presence.session_of(one) is not None]

    def get(self, agent_id: str) -> dict[str, Any]:
        """USER; NotFound."""
        found = self._store.by_id(agent_id)
        if found is None:
            raise NotFound(f"no account {agent_id}")
        return found

    def called(self, name: str) -> dict[str, Any] | None:
        """The USER of that full name; case and accents' spelling do not matter."""
        return self._store.by_name(name[:200])

    def by_ids(self, agent_ids: list[str]) -> list[dict[str, Any]]:
        return self._store.by_ids(agent_ids)

    def search(self, text: str) -> list[dict[str, Any]]:
        """At most MAX_SEARCH USERs whose name contains the text; guests are not found."""
        return self._store.search(text[:100], MAX_SEARCH)

    def eldest(self) -> dict[str, Any] | None:
        return self._store.eldest()

    # accounts -------------------------------------------------------------------------------------

    def create(self, first: str, last: str, password: str, guest: bool, address: str | None) -> dict[str, Any]:
        """A new USER. BadRequest for a bad name, NameTaken, TooMany guests from one ``address``."""
        try:
            first, last = names.check_name(first, last)
        except names.BadName as error:
            raise BadRequest(str(error)) from None
        if guest:
            self._guests.admit(address)
        verifier = self._hasher.make_verifier(password)
        made = self._store.create(first, last, verifier, int(time.time()), guest)
        self._made()
        return made

    def forget(self, agent_id: str) -> None:
        """The account was removed."""
        self._names.pop(agent_id, None)

    def change_password(self, agent_id: str, old: str | None, new: str, address: str) -> None:
        """A new password for whoever knows the old one. ``old`` None: the operator says so. Forbidden, TooMany."""
        if not 1 <= len(new) <= MAX_PASSWORD:
            raise BadRequest(f"a password has 1 to {MAX_PASSWORD} characters")
        self.must_exist(agent_id)
        if old is not None:
            with self._limits.attempt(address, agent_id) as attempt:
                if not self._hasher.verify(self._store.verifier_of(agent_id), digest(old)):
                    attempt.failed()
                    log.warning("password of %s not changed: the old one that %s gave is wrong", agent_id, address)
                    raise Forbidden("the old password is not right")
        if not self._store.set_verifier(agent_id, self._hasher.make_verifier(new)):
            raise NotFound(f"no account {agent_id}")
        log.info("the password of %s was changed, asked from %s", agent_id, address)

    # what they tell of themselves -----------------------------------------------------------------

    def profile(self, agent_id: str) -> dict[str, Any]:
        """PROFILE; NotFound."""
        return self._whole_profile(self.get(agent_id), self._store.profile(agent_id))

    def change_profile(self, agent_id: str, changes: dict[str, Any]) -> dict[str, Any]:
        """Change the members given, keep the rest; the PROFILE then. NotFound."""
        user = self.get(agent_id)
        written = {key: value for key, value in changes.items() if key not in ("agent_id", "born_on")}
        return self._whole_profile(user, self._store.change_profile(agent_id, written))

    def _whole_profile(self, user: dict[str, Any], written: dict[str, Any]) -> dict[str, Any]:
        return {
            "agent_id": user["agent_id"],
            "about": "",
            "first_life_about": "",
            "image_id": str(NULL),
            "first_life_image_id": str(NULL),
            "profile_url": "",
            "partner_id": str(NULL),
            "allow_publish": False,
            "mature_publish": False,
            **written,
            "born_on": datetime.fromtimestamp(user["created"], UTC).date().isoformat(),
            "interests": {**INTERESTS, **written.get("interests", {})},
        }

    def visibility(self, agent_id: str) -> str:
        """Whom the person lets know where it is: one of presence.VISIBILITIES. NotFound."""
        found = self._store.visibility(agent_id)
        if found is None:
            raise NotFound(f"no account {agent_id}")
        return found

    def set_visibility(self, agent_id: str, visibility: str) -> None:
        if not self._store.set_visibility(agent_id, visibility):
            raise NotFound(f"no account {agent_id}")
        self._presence.set_visibility(agent_id, visibility)

    # homes ----------------------------------------------------------------------------------------

    def home(self, agent_id: str) -> dict[str, Any]:
        """HOME; NotFound when none was ever set."""
        place = self._store.place(agent_id, "home")
        if place is None:
            raise NotFound("no home was ever set")
        return self._with_region(place)

    def set_home(self, agent_id: str, place: Place) -> dict[str, Any]:
        """HOME; NotFound for an unknown account."""
        self._store.set_place(self.must_exist(agent_id), "home", place)
        return self._with_region(place._asdict())

    def _with_region(self, place: dict[str, Any]) -> dict[str, Any]:
        region = self._directory.get(place["region_id"])
        return {**place, "region_name": region.name if region else None}
