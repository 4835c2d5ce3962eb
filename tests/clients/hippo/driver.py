"""Drives hippolyzer's HippoClient: JSON commands on stdin, what it saw on stdout (see tests/clients/driver.py).

Runs in hippolyzer's own virtual environment and uses nothing of ours.
"""
import asyncio
import json
import math
import sys
import uuid
from urllib.parse import urlencode

from hippolyzer.lib.base.datatypes import UUID, Quaternion, TupleCoord, Vector3
from hippolyzer.lib.base.message.message import Block, Message
from hippolyzer.lib.client.hippo_client import HippoClient

# Too many, or of no use to a scenario.
UNTOLD = {"PacketAck", "StartPingCheck", "ImprovedTerseObjectUpdate", "SimulatorViewerTimeMessage"}
ZERO = UUID(int=0)


def plain(value):
    """JSON for a value of the wire: ids as text, text without its NUL, other bytes in hex, vectors as lists."""
    if isinstance(value, (bytes, bytearray)):
        value = bytes(value)
        if value.endswith(b"\0") or not value:
            try:
                return value.rstrip(b"\0").decode()
            except UnicodeDecodeError:
                pass
        return value.hex()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (bool, int, str)) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, TupleCoord):
        return [plain(item) for item in value]
    return str(value)


def tell(**line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class Hippo:
    """The commands. Each method is one, its arguments are the command's."""

    def __init__(self):
        self.client = HippoClient()
        self.keys = None
        self.layers = 0

    # -- in and out ---------------------------------------------------------------------------------------------

    async def login(self, uri, first, last, password, start="last"):
        watching = asyncio.create_task(self._watch())
        try:
            await asyncio.wait_for(
                self.client.login(f"{first} {last}", password, login_uri=uri, start_location=start), 60
            )
        finally:
            watching.cancel()
        region = self.client.main_region
        return {
            "agent_id": str(self.client.session.agent_id),
            "session_id": str(self.client.session.id),
            "circuit_code": self.client.session.circuit_code,
            "login": plain(self.client.session.login_data),
            "region": region.name,
            "handle": region.handle,
        }

    async def _watch(self):
        """Subscribes as soon as the session exists, which is before the first packet comes."""
        while self.client.session is None:
            await asyncio.sleep(0.001)
        self.client.session.message_handler.subscribe("*", self._saw)

    def _saw(self, message):
        if message.name == "LayerData":
            self.layers += message["LayerID"]["Type"] == ord("L")
            return
        if message.name in UNTOLD:
            return
        if message.name.startswith("ObjectUpdate"):
            body = {"ObjectData": [self._object(block) for block in message.blocks.get("ObjectData", ())]}
        else:
            body = {
                name: [{key: plain(value) for key, value in block.items()} for block in blocks]
                for name, blocks in message.blocks.items()
            }
        tell(event=message.name, body=body)

    @staticmethod
    def _object(block):
        return {key: plain(block[key]) for key in ("ID", "FullID", "PCode", "ParentID", "NameValue") if key in block}

    async def logout(self):
        self.keys = None
        self.client.logout()
        await asyncio.sleep(0.05)  # the transport sends what it holds
        self.layers = 0

    # -- looking around -----------------------------------------------------------------------------------------

    async def region(self):
        region = self.client.main_region
        return {"name": region.name, "handle": region.handle, "alive": region.is_alive, "layers": self.layers}

    async def avatars(self):
        region = self.client.main_region
        found = {}
        for avatar in region.objects.all_avatars:
            try:
                found[str(avatar.FullID)] = [float(value) for value in avatar.RegionPosition]
            except (ValueError, AttributeError):
                pass  # known by name only, no position yet
        return found

    async def exact_avatars(self):
        """Only those known by an object update, not from the coarse map dots."""
        region = self.client.main_region
        return {
            str(avatar.FullID): [float(value) for value in avatar.Object.Position]
            for avatar in region.objects.all_avatars
            if avatar.Object is not None and avatar.Object.Position is not None
        }

    async def prims(self):
        """How many objects that are no avatar it knows."""
        return sum(obj.PCode == 9 for obj in self.client.main_region.objects.all_objects)

    async def parcels(self):
        found = await asyncio.wait_for(self.client.main_region.parcel_manager.request_dirty_parcels(), 30)
        return [{"local_id": parcel.local_id, "name": str(parcel.name)} for parcel in found]

    # -- doing --------------------------------------------------------------------------------------------------

    async def chat(self, text, kind=1, channel=0):
        await asyncio.wait_for(self.client.send_chat(text, channel=channel, chat_type=kind), 30)

    async def im(self, to, text, dialog=0, im_id=None, bucket=""):
        session = self.client.session
        await self._send(
            "ImprovedInstantMessage",
            MessageBlock={
                "FromGroup": False, "ToAgentID": UUID(to), "ParentEstateID": 0, "RegionID": ZERO,
                "Position": Vector3(0, 0, 0), "Offline": 0, "Dialog": dialog,
                "ID": UUID(im_id) if im_id else UUID(int=session.agent_id.int ^ uuid.UUID(to).int),
                "Timestamp": 0, "FromAgentName": b"whoever I like\0", "Message": text.encode() + b"\0",
                "BinaryBucket": bytes.fromhex(bucket),
            },
        )

    async def set_keys(self, flags=0, yaw=0.0, far=128.0):
        """Holds down control keys, as AgentUpdate.ControlFlags, facing `yaw` radians from east."""
        self.keys = (flags, yaw, far)
        self._agent_update()

    def _agent_update(self):
        if self.keys is None:
            return
        flags, yaw, far = self.keys
        facing = Quaternion(0, 0, math.sin(yaw / 2), math.cos(yaw / 2))
        session = self.client.session
        region = self.client.main_region
        if session is None or region is None or not region.circuit or not region.circuit.is_alive:
            return
        region.circuit.send(Message("AgentUpdate", Block(
            "AgentData", AgentID=session.agent_id, SessionID=session.id, BodyRotation=facing, HeadRotation=facing,
            State=0, CameraCenter=Vector3(128, 128, 30), CameraAtAxis=Vector3(math.cos(yaw), math.sin(yaw), 0),
            CameraLeftAxis=Vector3(-math.sin(yaw), math.cos(yaw), 0), CameraUpAxis=Vector3(0, 0, 1), Far=far,
            ControlFlags=flags, Flags=0,
        )))

    async def hold_keys(self):
        """A viewer repeats its AgentUpdate while a key is down; HippoClient leaves that to its user."""
        while True:
            await asyncio.sleep(0.2)
            if self.keys and self.client.session:
                self._agent_update()

    async def teleport(self, handle, position):
        await asyncio.wait_for(self.client.teleport(int(handle), Vector3(*position)), 40)
        return await self.region()

    async def cap(self, name, body=None, query=None):
        """Asks a capability: POST when there is a body, else GET; the parsed LLSD."""
        caps = self.client.main_region.caps_client
        if body is not None:
            request = caps.post(name, llsd=_ids(body))
        else:
            url = self.client.main_region.cap_urls[name]
            request = caps.get(url + ("/?" + urlencode(query, doseq=True) if query else ""))
        async with request as response:
            response.raise_for_status()
            return plain(await response.read_llsd())

    async def caps(self):
        return {name: url for name, url in self.client.main_region.cap_urls.items() if name != "Seed"}

    async def send(self, message, blocks=None, agent=True):
        """Any message, reliably: {block: {field: value} or [..]}; values like "uuid:..." are ids, "text:..." text."""
        prepared = {name: [_ids(block) for block in (many if isinstance(many, list) else [many])]
                    for name, many in (blocks or {}).items()}
        await self._send(message, agent, **prepared)

    async def _send(self, message, agent=True, **blocks):
        session = self.client.session
        made = []
        extra = {}
        if agent:
            extra = blocks.pop("AgentData", [{}])
            extra = extra[0] if isinstance(extra, list) else extra
            made.append(Block("AgentData", AgentID=session.agent_id, SessionID=session.id, **extra))
        for name, many in blocks.items():
            for block in many if isinstance(many, list) else [many]:
                made.append(Block(name, **block))
        await asyncio.wait_for(self.client.main_circuit.send_reliable(Message(message, *made)), 30)


def _ids(value):
    """Gives JSON back the types of the wire: "uuid:", "text:" (with its NUL), "hex:", "vector:x,y,z"."""
    if isinstance(value, dict):
        return {key: _ids(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_ids(item) for item in value]
    if isinstance(value, str):
        kind, _, rest = value.partition(":")
        if kind == "uuid":
            return UUID(rest)
        if kind == "text":
            return rest.encode() + b"\0"
        if kind == "hex":
            return bytes.fromhex(rest)
        if kind == "vector":
            return Vector3(*(float(part) for part in rest.split(",")))
    return value


async def main():
    hippo = Hippo()
    loop = asyncio.get_running_loop()
    holding = loop.create_task(hippo.hold_keys())
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)

    async def obey(command):
        ticket, do = command.pop("ticket"), command.pop("do")
        try:
            tell(ticket=ticket, ok=True, value=await getattr(hippo, do)(**command))
        except (Exception, asyncio.CancelledError) as error:  # whatever the library throws is the answer
            tell(ticket=ticket, ok=False, error=f"{type(error).__name__}: {error}")

    running = set()
    while line := await commands.readline():
        task = loop.create_task(obey(json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)
    holding.cancel()
    hippo.client.logout()
    await asyncio.sleep(0.05)
    await hippo.client.http_session.close()


if __name__ == "__main__":
    asyncio.run(main())
