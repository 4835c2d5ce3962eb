"""Files by Xfer: what a viewer is told the name of, it fetches piece by piece.

    RequestXfer        > {ID, Filename}
    SendXferPacket     < {ID, Packet 0.., Data}     packet 0 begins with S32 total size; bit 31 of Packet: the last
    ConfirmXferPacket  > {ID, Packet}               the next few follow
    AbortXfer          <> {ID, Result}

A file is offered to one agent under a name that nobody else can guess, and kept for a minute after it was last asked for.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from protocol.message import Message, text
from sim.handlers import OPEN, QUERY, handles
from sim.handlers.replies import send

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.region import Region
    from sim.world.agent import Agent

PACKET_SIZE = 1000  # bytes
WINDOW = 4  # packets under way
KEPT = 60.0  # seconds
MOST_FILES, MOST_BYTES = 64, 4 << 20  # kept for one agent
LAST = 0x80000000
NOT_FOUND = -43  # AbortXfer.Result, as clients know it: no such file


@dataclass(slots=True, eq=False)
class File:
    agent: Agent
    data: bytes
    last_used: float
    sent: dict[int, int] = field(default_factory=dict)  # transfer id -> packets sent

    @property
    def packets(self) -> int:
        return max(1, -(-len(self.data) // PACKET_SIZE))


class Xfers:
    """The files offered to agents of one region."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._files: dict[str, File] = {}

    def offer(self, agent: Agent, data: bytes) -> str:
        """Keep a file for an agent; the name to tell it. The oldest go when it has too many."""
        self._forget_old()
        own = [name for name, file in self._files.items() if file.agent is agent]
        size = len(data) + sum(len(self._files[name].data) for name in own)
        while own and (len(own) >= MOST_FILES or size > MOST_BYTES):
            size -= len(self._files.pop(own.pop(0)).data)
        name = f"inventory_{uuid4()}.tmp"
        self._files[name] = File(agent, data, self._region.clock.now())
        return name

    def find(self, agent: Agent, name: str) -> File | None:
        """The file of that name, if it was offered to this agent."""
        file = self._files.get(name)
        if file is None or file.agent is not agent:
            return None
        file.last_used = self._region.clock.now()
        return file

    def under_way(self, agent: Agent, transfer_id: int) -> File | None:
        """The file an agent is being sent under a transfer id of its own."""
        return next((file for file in self._files.values() if file.agent is agent and transfer_id in file.sent), None)

    def _forget_old(self) -> None:
        now = self._region.clock.now()
        gone = [name for name, file in self._files.items() if now - file.last_used > KEPT or file.agent.circuit is None]
        for name in gone:
            del self._files[name]


@handles("RequestXfer", state=OPEN, rate=QUERY)
def request_xfer(sim: Parts, agent: Agent, message: Message) -> None:
    asked = message["XferID"]
    file = sim.xfers.find(agent, text(asked["Filename"]))
    if file is None or len(file.sent) >= MOST_FILES:
        send(agent, Message("AbortXfer", XferID={"ID": asked["ID"], "Result": NOT_FOUND}))
        return
    file.sent[asked["ID"]] = 0
    _send_up_to(agent, file, asked["ID"], WINDOW)


@handles("ConfirmXferPacket", state=OPEN, rate=QUERY)
def confirm_xfer_packet(sim: Parts, agent: Agent, message: Message) -> None:
    told = message["XferID"]
    file = sim.xfers.under_way(agent, told["ID"])
    if file is None:
        return
    confirmed = told["Packet"] & ~LAST
    if confirmed >= file.packets - 1:
        del file.sent[told["ID"]]
    else:
        _send_up_to(agent, file, told["ID"], confirmed + 1 + WINDOW)


@handles("AbortXfer", state=OPEN, rate=QUERY)
def abort_xfer(sim: Parts, agent: Agent, message: Message) -> None:
    file = sim.xfers.under_way(agent, message["XferID"]["ID"])
    if file is not None:
        del file.sent[message["XferID"]["ID"]]


def _send_up_to(agent: Agent, file: File, transfer_id: int, end: int) -> None:
    """Send the packets before number `end` that have not been sent yet."""
    if agent.circuit is None:
        return
    count = file.packets
    first, end = file.sent[transfer_id], min(end, count)
    for number in range(first, end):
        piece = file.data[number * PACKET_SIZE : (number + 1) * PACKET_SIZE]
        if number == 0:
            piece = struct.pack("<i", len(file.data)) + piece
        packet = number | LAST if number == count - 1 else number
        sent = Message("SendXferPacket", XferID={"ID": transfer_id, "Packet": packet}, DataPacket={"Data": piece})
        agent.circuit.send(sent, category="asset")
    file.sent[transfer_id] = max(first, end)
