"""What scripts want of people: dialogs, permissions, web pages; and touching what they live in."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from protocol.message import Message, text

from .circuits import Circuits, Heard, hears
from .model import Entity

TEXT_BOX = "!!llTextBox!!"  # the one label of a dialog that asks for a line of text
LONGEST_ANSWER = 254  # bytes that reach the script


@dataclass(frozen=True, slots=True)
class Dialog:
    """A box with buttons, or with room for a line of text (then ``buttons`` is empty)."""

    object_id: UUID
    object_name: str
    owner_id: UUID
    owner_name: str
    message: str
    channel: int
    buttons: tuple[str, ...]

    @property
    def wants_text(self) -> bool:
        """Whether it asks for a line of text instead of a button."""
        return not self.buttons


@dataclass(frozen=True, slots=True)
class Question:
    """A script asks for permissions: ``asked`` is a sum of bits (2 debit, 4 take controls, 16 animate, ...)."""

    object_id: UUID
    item_id: UUID  # the script
    object_name: str
    owner_name: str
    asked: int


@dataclass(frozen=True, slots=True)
class WebPage:
    """A script offers a web page. ``url`` is whatever the script says."""

    object_id: UUID
    object_name: str
    owner_id: UUID
    message: str
    url: str


class Scripts:
    """Events ``dialog``, ``question``, ``web-page``; and the answers."""

    def __init__(self, circuits: Circuits) -> None:
        self._circuits = circuits
        circuits.join(self)

    @hears("ScriptDialog")
    def _heard_dialog(self, heard: Heard) -> None:
        data, owners = heard["Data"], heard["OwnerData"]
        labels = tuple(text(block["ButtonLabel"]) for block in heard["Buttons"])
        owner = " ".join(part for part in (text(data["FirstName"]), text(data["LastName"])) if part)
        self._circuits.events.emit("dialog", Dialog(
            data["ObjectID"], text(data["ObjectName"]), owners[0]["OwnerID"] if owners else UUID(int=0), owner,
            text(data["Message"]), data["ChatChannel"], () if TEXT_BOX in labels else labels,
        ))  # fmt: skip

    def answer(self, dialog: Dialog, words: str, button: int = 0) -> None:
        """Say ``words`` (a button's label with its number, or a line of text) on the dialog's channel."""
        label = words.encode(errors="ignore")[:LONGEST_ANSWER].decode(errors="ignore")
        data = {
            "ObjectID": dialog.object_id,
            "ChatChannel": dialog.channel,
            "ButtonIndex": button,
            "ButtonLabel": label,
        }
        self._circuits.send(Message("ScriptDialogReply", AgentData=self._circuits.agent_block, Data=data))

    @hears("ScriptQuestion")
    def _heard_question(self, heard: Heard) -> None:
        data = heard["Data"]
        self._circuits.events.emit("question", Question(
            data["TaskID"], data["ItemID"], text(data["ObjectName"]), text(data["ObjectOwner"]), data["Questions"],
        ))  # fmt: skip

    def grant(self, question: Question, permissions: int) -> None:
        """Grant those of the asked permissions; 0 refuses all."""
        granted = permissions & question.asked
        data = {"TaskID": question.object_id, "ItemID": question.item_id, "Questions": granted}
        self._circuits.send(Message("ScriptAnswerYes", AgentData=self._circuits.agent_block, Data=data))

    @hears("LoadURL")
    def _heard_web_page(self, heard: Heard) -> None:
        data = heard["Data"]
        self._circuits.events.emit("web-page", WebPage(
            data["ObjectID"], text(data["ObjectName"]), data["OwnerID"], text(data["Message"]), text(data["URL"]),
        ))  # fmt: skip

    def touch(self, thing: Entity) -> None:
        """Click on an object: touched, and let go."""
        for name in ("ObjectGrab", "ObjectDeGrab"):
            thing.region.send(
                Message(name, AgentData=self._circuits.agent_block, ObjectData={"LocalID": thing.local_id})
            )
