"""What was taken out of Second Life, and does nothing there either: XML-RPC, and web pages on prims of before media.

Source of all: the functions' pages on the LSL wiki.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scripts.language.values import NULL_KEY, Key
from sim.scripts.library.declare import ll

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script


@ll
def llOpenRemoteDataChannel(script: Script) -> None:
    """Does nothing any more: there is no XML-RPC. llRequestURL took its place. Sleeps 1 s."""


@ll
def llCloseRemoteDataChannel(script: Script, channel: Key) -> None:
    """Does nothing any more: there is no XML-RPC. Sleeps 1 s."""


@ll
def llSendRemoteData(script: Script, channel: Key, dest: str, idata: int, sdata: str) -> Key:
    """Does nothing any more, and gives NULL_KEY: there is no XML-RPC. llHTTPRequest took its place. Sleeps 3 s."""
    return NULL_KEY


@ll
def llRemoteDataReply(script: Script, channel: Key, message_id: Key, sdata: str, idata: int) -> None:
    """Does nothing any more: there is no XML-RPC. Sleeps 3 s."""


@ll
def llRemoteDataSetRegion(script: Script) -> None:
    """Does nothing any more: there is no XML-RPC."""


@ll
def llSetPrimURL(script: Script, url: str) -> None:
    """Does nothing any more; llSetPrimMediaParams took its place. Sleeps 20 s."""


@ll
def llRefreshPrimURL(script: Script) -> None:
    """Does nothing any more; llSetPrimMediaParams took its place. Sleeps 20 s."""
