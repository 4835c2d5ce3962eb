"""Speech: saying, listening, dialogs, link messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scripts.language.values import Item, Key, to_string
from sim.scripts.library.declare import ll
from sim.scripts.library.world import REGION, SAY, SHOUT, WHISPER, Listen
from sim.scripts.machine.failures import ScriptFailure
from sim.scripts.machine.throttle import CHAT, INSTANT_MESSAGES, OWNER_CHAT

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

LONGEST_CHAT = 1024  # bytes of UTF-8
MOST_LISTENS = 65
DEBUG_CHANNEL = 0x7FFFFFFF


def cut(text: str, longest: int = LONGEST_CHAT) -> str:
    """At most so many bytes of UTF-8, never half a character."""
    data = text.encode("utf-8", "replace")
    return text if len(data) <= longest else data[:longest].decode("utf-8", "ignore")


def _say(script: Script, kind: str, channel: int, text: str) -> None:
    if channel not in (0, DEBUG_CHANNEL) or script.allowed(CHAT, "messages"):
        script.world.chat(script, kind, channel, cut(text))


@ll
def llSay(script: Script, channel: int, text: str) -> None:
    """Says a text on a channel; heard within 20 m. Channel 0 is what people read. At most 1024 bytes.

    All that an owner's scripts say to people, by this and its kin, is at most 200 messages in 10 seconds; more is dropped.
    """
    _say(script, SAY, channel, text)


@ll
def llWhisper(script: Script, channel: int, text: str) -> None:
    """Says a text on a channel; heard within 10 m."""
    _say(script, WHISPER, channel, text)


@ll
def llShout(script: Script, channel: int, text: str) -> None:
    """Says a text on a channel; heard within 100 m."""
    _say(script, SHOUT, channel, text)


@ll
def llRegionSay(script: Script, channel: int, text: str) -> None:
    """Says a text in the whole region, on any channel but 0."""
    if channel == 0:
        script.complain("llRegionSay: can't speak on channel 0")
        return
    _say(script, REGION, channel, text)


@ll
def llRegionSayTo(script: Script, target: Key, channel: int, text: str) -> None:
    """Says a text to one avatar (channel 0, or its attachments on others) or one object of the region."""
    if channel == DEBUG_CHANNEL:
        return
    if channel != 0 or script.allowed(CHAT, "messages"):
        script.world.chat_to(script, target, channel, cut(text))


@ll
def llOwnerSay(script: Script, text: str) -> None:
    """Says a text to the owner alone, if in the region. At most 200 in 10 seconds."""
    if script.allowed(OWNER_CHAT, "messages to you"):
        script.world.owner_say(script, cut(text))


@ll
def llInstantMessage(script: Script, user: Key, text: str) -> None:
    """Sends an instant message to an avatar, wherever. Sleeps 2 s. At most 2500 in 30 minutes by an owner's scripts."""
    if script.allowed(INSTANT_MESSAGES, "instant messages"):
        script.world.instant_message(script, user, cut(text))


@ll
def llListen(script: Script, channel: int, name: str, key: Key, message: str) -> int:
    """Starts hearing a channel and returns a handle; empty name, key and message match all. At most 65 a script.

    An equal listen that exists already is given again.
    """
    for listen in script.listens.values():
        if (listen.channel, listen.name, listen.key, listen.message) == (channel, name, key, message):
            listen.active = True
            return listen.handle
    if len(script.listens) >= MOST_LISTENS:
        raise ScriptFailure("Too Many Listens")
    handle = script.next_listen
    script.next_listen += 1
    script.listens[handle] = listen = Listen(handle, channel, name, key, message)
    script.world.listen_started(script, listen)
    return handle


@ll
def llListenControl(script: Script, handle: int, active: int) -> None:
    """Turns a listen on or off without ending it."""
    listen = script.listens.get(handle)
    if listen is not None:
        listen.active = bool(active)


@ll
def llListenRemove(script: Script, handle: int) -> None:
    """Ends a listen."""
    listen = script.listens.pop(handle, None)
    if listen is not None:
        script.world.listen_ended(script, listen)


@ll
def llDialog(script: Script, avatar: Key, message: str, buttons: list[Item], channel: int) -> None:
    """Shows a box with up to 12 buttons to an avatar; the answer is said on the channel by the avatar. Sleeps 1 s.

    Without buttons there is one, "OK". The message takes 512 bytes, a label 24; wrong ones are complained about.
    """
    labels = [to_string(button) for button in buttons] or ["OK"]
    if len(labels) > 12:
        script.complain("llDialog: button list can have at most 12 buttons")
    elif any(not label for label in labels):
        script.complain("llDialog: all buttons must have label strings")
    elif any(len(label.encode()) > 24 for label in labels):
        script.complain("llDialog: button labels can be at most 24 bytes long")
    elif not message:
        script.complain("llDialog: must supply a message")
    elif len(message.encode()) >= 512:
        script.complain("llDialog: message must be fewer than 512 bytes")
    else:
        script.world.dialog(script, avatar, message, labels, channel)


@ll
def llTextBox(script: Script, avatar: Key, message: str, channel: int) -> None:
    """Asks an avatar for a line of text, which is said on the channel by the avatar."""
    if not message:
        script.complain("llTextBox: must supply a message")
    elif len(message.encode()) >= 512:
        script.complain("llTextBox: message must be fewer than 512 bytes")
    else:
        script.world.text_box(script, avatar, message, channel)


@ll
def llLoadURL(script: Script, avatar: Key, message: str, url: str) -> None:
    """Offers an avatar a web page. Sleeps 0.1 s."""
    script.world.load_url(script, avatar, cut(message, 255), cut(url, 255))


@ll
def llMessageLinked(script: Script, link: int, number: int, text: str, key: Key) -> None:
    """Sends link_message to the scripts of a prim of the linkset, or of several by LINK_*; to itself too when meant."""
    script.world.link_message(script, link, number, text, key)
