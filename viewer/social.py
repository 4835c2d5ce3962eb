"""People: chat, instant messages, friends, names, profiles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from protocol.message import Message, text

from .caps import CapError
from .circuits import Circuits, Heard, hears
from .errors import WaitTimeout
from .events import answered
from .model import Vector
from .sight import Sight

NULL = UUID(int=0)
WHISPER, SAY, SHOUT, TYPING, STOPPED_TYPING = 0, 1, 2, 4, 5
IM_PLAIN, IM_FRIEND_OFFERED, IM_FRIEND_ACCEPTED, IM_FRIEND_DECLINED = 0, 38, 39, 40
IM_FROM_OBJECT = 19  # what a script's llInstantMessage says
IM_TYPING, IM_STOPPED_TYPING = 41, 42
SEES_ONLINE, SEES_ON_MAP, MAY_EDIT = 1, 2, 4
_NAMES_A_REQUEST = 60  # ids of 16 bytes: under 1200 bytes
_MAX_NAMES = 10_000


@dataclass(frozen=True, slots=True)
class Chat:
    """Something said aloud. ``type``: 0 whisper, 1 say, 2 shout, 4, 5 typing. ``audible``: 1 well, 0 barely, -1 no."""

    name: str
    source_id: UUID
    owner_id: UUID
    source_type: int  # 0 system, 1 agent, 2 object
    type: int
    audible: int
    position: Vector
    text: str


@dataclass(frozen=True, slots=True)
class InstantMessage:
    """An instant message of any dialog. ``offline``: it was stored while we were away."""

    from_id: UUID
    from_name: str
    to_id: UUID
    dialog: int
    id: UUID
    text: str
    timestamp: int
    offline: bool
    from_group: bool
    region_id: UUID
    position: Vector
    bucket: bytes


@dataclass(slots=True)
class Friend:
    """Somebody on our list. Rights: 1 sees online, 2 sees on the map, 4 may edit objects."""

    agent_id: UUID
    rights_given: int
    rights_has: int
    online: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """What people tell about themselves. ``flags``: 1 published, 4 mature, 8 identified, 16 transacted, 32 online."""

    agent_id: UUID
    about: str
    first_life_about: str
    image_id: UUID
    first_life_image_id: UUID
    partner_id: UUID
    born_on: str
    url: str
    flags: int

    @property
    def online(self) -> bool:
        """Whether the profile says that they are in the world."""
        return bool(self.flags & 32)


class Social:
    """Talking, friends, and who is who."""

    def __init__(self, circuits: Circuits, sight: Sight) -> None:
        self._circuits = circuits
        self._sight = sight
        self.friends: dict[UUID, Friend] = {
            b.agent_id: Friend(b.agent_id, b.rights_given, b.rights_has) for b in circuits.session.buddies
        }
        self._names: dict[UUID, str] = {circuits.agent_id: circuits.name}
        circuits.join(self)

    # -- chat -------------------------------------------------------------------------------------------------------

    def say(self, message: str, channel: int = 0) -> None:
        """Heard within 20 m. ``channel`` other than 0 reaches scripts only."""
        self._chat(message, SAY, channel)

    def whisper(self, message: str) -> None:
        """Heard within 10 m."""
        self._chat(message, WHISPER, 0)

    def shout(self, message: str) -> None:
        """Heard within 100 m."""
        self._chat(message, SHOUT, 0)

    def typing(self, on: bool = True) -> None:
        """Show the others that we type, or no longer do."""
        self._chat("", TYPING if on else STOPPED_TYPING, 0)

    def _chat(self, message: str, kind: int, channel: int) -> None:
        data = {"Message": message, "Type": kind, "Channel": channel}
        self._circuits.send(Message("ChatFromViewer", AgentData=self._circuits.agent_block, ChatData=data))

    @hears("ChatFromSimulator")
    def _heard_chat(self, heard: Heard) -> None:
        d = heard["ChatData"]
        audible = d["Audible"] - 256 if d["Audible"] > 127 else d["Audible"]
        self._circuits.events.emit(
            "chat",
            Chat(text(d["FromName"]), d["SourceID"], d["OwnerID"], d["SourceType"], d["ChatType"], audible,
                 d["Position"], text(d["Message"])),
        )  # fmt: skip

    # -- instant messages -------------------------------------------------------------------------------------------

    def im(
        self,
        to: UUID,
        message: str,
        dialog: int = IM_PLAIN,
        im_id: UUID | None = None,
        bucket: bytes = b"",
    ) -> None:
        """Send an instant message to an agent anywhere in the grid; stored if they are away.

        ``im_id`` defaults to the session id of a conversation of two: both agent ids, exclusive-or.
        """
        session = UUID(int=self._circuits.agent_id.int ^ to.int) if im_id is None else im_id
        block = {
            "ToAgentID": to, "RegionID": self._circuits.root.id, "Position": self._sight.position, "Dialog": dialog, "ID": session,
            "FromAgentName": self._circuits.name, "Message": message, "BinaryBucket": bucket,
        }  # fmt: skip
        self._circuits.send(Message("ImprovedInstantMessage", AgentData=self._circuits.agent_block, MessageBlock=block))

    @hears("ImprovedInstantMessage")
    def _heard_im(self, heard: Heard) -> None:
        d = heard["MessageBlock"]
        message = InstantMessage(
            heard["AgentData"]["AgentID"], text(d["FromAgentName"]), d["ToAgentID"], d["Dialog"], d["ID"],
            text(d["Message"]), d["Timestamp"], bool(d["Offline"]), bool(d["FromGroup"]), d["RegionID"],
            d["Position"], bytes(d["BinaryBucket"]),
        )  # fmt: skip
        if message.dialog == IM_FRIEND_ACCEPTED:
            self._befriend(message.from_id)
        self._circuits.events.emit("im", message)
        if message.dialog == IM_FRIEND_OFFERED:
            self._circuits.events.emit("friend-offer", message)

    # -- friends ----------------------------------------------------------------------------------------------------

    def offer_friendship(self, to: UUID, message: str = "Will you be my friend?") -> None:
        """Offer friendship. An acceptance comes as ``im`` of dialog 39, a refusal as 40."""
        self.im(to, message, IM_FRIEND_OFFERED, NULL)

    def accept_friendship(self, offer: InstantMessage) -> None:
        """Accept an offer as it came with the ``friend-offer`` event."""
        self._circuits.send(
            Message(
                "AcceptFriendship",
                AgentData=self._circuits.agent_block,
                TransactionBlock={"TransactionID": offer.id},
                FolderData=[{"FolderID": NULL}],
            )
        )
        self._befriend(offer.from_id)

    def decline_friendship(self, offer: InstantMessage) -> None:
        """Refuse an offer."""
        block = {"TransactionID": offer.id}
        self._circuits.send(Message("DeclineFriendship", AgentData=self._circuits.agent_block, TransactionBlock=block))

    def terminate_friendship(self, other: UUID) -> None:
        """End a friendship, on both sides."""
        self.friends.pop(other, None)
        self._circuits.send(
            Message("TerminateFriendship", AgentData=self._circuits.agent_block, ExBlock={"OtherID": other})
        )

    def grant_rights(self, other: UUID, rights: int) -> None:
        """Let a friend see us online (1), on the map (2), edit our objects (4): exactly these."""
        if other in self.friends:
            self.friends[other].rights_given = rights
        block = [{"AgentRelated": other, "RelatedRights": rights}]
        self._circuits.send(Message("GrantUserRights", AgentData=self._circuits.agent_block, Rights=block))

    def _befriend(self, other: UUID) -> Friend:
        friend = self.friends.setdefault(other, Friend(other, SEES_ONLINE, SEES_ONLINE))
        self._circuits.events.emit("friend-changed", friend)
        return friend

    @hears("OnlineNotification", "OfflineNotification")
    def _friend_came_or_went(self, heard: Heard) -> None:
        online = heard.name == "OnlineNotification"
        for block in heard["AgentBlock"]:
            friend = self.friends.get(block["AgentID"])
            # The news may overtake the acceptance that makes somebody a friend.
            if friend is None and online:
                friend = self._befriend(block["AgentID"])
            if friend is not None:
                friend.online = online
                self._circuits.events.emit("friend-online" if online else "friend-offline", friend)

    @hears("TerminateFriendship")
    def _friendship_ended(self, heard: Heard) -> None:
        other: UUID = heard["ExBlock"]["OtherID"]
        self.friends.pop(other, None)
        self._circuits.events.emit("friend-ended", other)

    @hears("ChangeUserRights")
    def _rights_changed(self, heard: Heard) -> None:
        who: UUID = heard["AgentData"]["AgentID"]
        for block in heard["Rights"]:
            mine = who == self._circuits.agent_id
            friend = self.friends.get(block["AgentRelated"] if mine else who)
            if friend is not None:
                if mine:
                    friend.rights_given = block["RelatedRights"]
                else:
                    friend.rights_has = block["RelatedRights"]
                self._circuits.events.emit("friend-changed", friend)

    # -- names and profiles -----------------------------------------------------------------------------------------

    async def names(self, agent_ids: Iterable[UUID], timeout: float = 10.0) -> dict[UUID, str]:
        """``First Last`` of each id. Ids that nobody answers for within ``timeout`` are left out."""
        wanted = list(dict.fromkeys(agent_ids))
        asking = [agent_id for agent_id in wanted if agent_id not in self._names]
        replies = self._circuits.events.expect("UUIDNameReply", lambda heard: all(a in self._names for a in asking))
        try:
            for start in range(0, len(asking), _NAMES_A_REQUEST):
                blocks = [{"ID": agent_id} for agent_id in asking[start : start + _NAMES_A_REQUEST]]
                self._circuits.send(Message("UUIDNameRequest", UUIDNameBlock=blocks))
            if asking:
                await answered(replies, timeout, "UUIDNameReply")
        except WaitTimeout:
            pass  # some were answered perhaps; what is missing is missing from the result
        finally:
            replies.cancel()
        return {agent_id: self._names[agent_id] for agent_id in wanted if agent_id in self._names}

    @hears("UUIDNameReply")
    def _heard_names(self, heard: Heard) -> None:
        for block in heard["UUIDNameBlock"]:
            if len(self._names) < _MAX_NAMES or block["ID"] in self._names:
                self._names[block["ID"]] = f"{text(block['FirstName'])} {text(block['LastName'])}".strip()

    async def display_names(self, agent_ids: list[UUID]) -> dict[UUID, str]:
        """Display names by the GetDisplayNames capability. ``CapError`` if the region has none."""
        caps = self._circuits.root.caps
        if caps is None:
            raise CapError("no capabilities yet")
        answer = await caps.get("GetDisplayNames", "/?" + "&".join(f"ids={agent_id}" for agent_id in agent_ids))
        rows = answer.get("agents") if isinstance(answer, dict) else None
        named = {}
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, dict) and isinstance(row.get("id"), UUID):
                named[row["id"]] = str(row.get("display_name", ""))
        return named

    async def profile(self, agent_id: UUID, timeout: float = 10.0) -> Profile:
        """The profile of any agent. ``WaitTimeout`` if the grid knows none."""
        reply = self._circuits.events.expect(
            "AvatarPropertiesReply", lambda heard: heard["AgentData"]["AvatarID"] == agent_id
        )
        block = {**self._circuits.agent_block, "AvatarID": agent_id}
        self._circuits.send(Message("AvatarPropertiesRequest", AgentData=block))
        d = (await answered(reply, timeout, "AvatarPropertiesReply"))["PropertiesData"]
        return Profile(
            agent_id, text(d["AboutText"]), text(d["FLAboutText"]), d["ImageID"], d["FLImageID"], d["PartnerID"],
            text(d["BornOn"]), text(d["ProfileURL"]), d["Flags"],
        )  # fmt: skip

    async def set_profile(
        self,
        about: str | None = None,
        first_life_about: str | None = None,
        url: str | None = None,
        image_id: UUID | None = None,
        first_life_image_id: UUID | None = None,
        publish: bool | None = None,
        mature: bool | None = None,
    ) -> None:
        """Change our own profile; what is None stays. The message carries everything, so the rest is read first."""
        old = await self.profile(self._circuits.agent_id)
        data = {
            "ImageID": old.image_id if image_id is None else image_id,
            "FLImageID": old.first_life_image_id if first_life_image_id is None else first_life_image_id,
            "AboutText": old.about if about is None else about,
            "FLAboutText": old.first_life_about if first_life_about is None else first_life_about,
            "AllowPublish": bool(old.flags & 1) if publish is None else publish,
            "MaturePublish": bool(old.flags & 4) if mature is None else mature,
            "ProfileURL": old.url if url is None else url,
        }
        sequence = self._circuits.send(
            Message("AvatarPropertiesUpdate", AgentData=self._circuits.agent_block, PropertiesData=data)
        )
        await answered(self._circuits.root.circuit.acknowledged(sequence), 10.0, "ack of our profile")

    async def search_people(self, part: str, timeout: float = 10.0) -> dict[UUID, str]:
        """Agents whose name contains ``part``: id to ``First Last``."""
        query = UUID(
            int=self._circuits.agent_id.int ^ int(self._circuits.clock() * 1e6)
        )  # only has to differ from our other queries
        reply = self._circuits.events.expect("AvatarPickerReply", lambda heard: heard["AgentData"]["QueryID"] == query)
        block = {**self._circuits.agent_block, "QueryID": query}
        self._circuits.send(Message("AvatarPickerRequest", AgentData=block, Data={"Name": part}))
        found = await answered(reply, timeout, "AvatarPickerReply")
        return {
            d["AvatarID"]: f"{text(d['FirstName'])} {text(d['LastName'])}".strip()
            for d in found["Data"]
            if d["AvatarID"] != NULL
        }
