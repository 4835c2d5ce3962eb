"""Login answers, good, refusing and hostile."""

from __future__ import annotations

import xmlrpc.client
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

import viewer
from tests.kit.fakegrid import FakeGrid
from tests.kit.viewers import fake_viewer
from tests.kit.waiting import eventually
from viewer.login import parse_answer, region_of, request_body, session_from

GOOD: dict[str, Any] = {
    "login": "true", "agent_id": str(UUID(int=1)), "session_id": str(UUID(int=2)),
    "secure_session_id": str(UUID(int=3)), "circuit_code": 77, "sim_ip": "127.0.0.1", "sim_port": 9000,
    "region_x": 256000, "region_y": 256256, "seed_capability": "http://127.0.0.1/seed", "first_name": '"Ann"',
    "last_name": '"Test"', "look_at": "[r0.99,r-0.12,r0]", "inventory-root": [{"folder_id": str(UUID(int=4))}],
    "buddy-list": [{"buddy_id": str(UUID(int=5)), "buddy_rights_given": 1, "buddy_rights_has": 5}],
}  # fmt: skip


def answer(**changes: Any) -> bytes:
    return xmlrpc.client.dumps(({**GOOD, **changes},), methodresponse=True).encode()


def test_reads_what_servers_send() -> None:
    session = session_from(parse_answer(answer()))
    assert (session.name, session.address, session.region_handle) == (
        "Ann Test",
        ("127.0.0.1", 9000),
        256000 << 32 | 256256,
    )
    assert session.look_at == (0.99, -0.12, 0.0)
    assert session.buddies[0].rights_has == 5
    assert session.inventory_root == UUID(int=4)


def test_numbers_may_come_as_text() -> None:
    session = session_from(parse_answer(answer(circuit_code="77", sim_port="9000", region_x="256000")))
    assert (session.circuit_code, session.address[1]) == (77, 9000)


def test_asks_as_viewers_do() -> None:
    (call,), method = xmlrpc.client.loads(request_body("Ann", "Test", "secret & <more>", "uri:Cay & Co&1&2&3"))
    assert method == "login_to_simulator" and isinstance(call, dict)
    assert call["passwd"].startswith("$1$") and len(call["passwd"]) == 35
    assert call["start"] == "uri:Cay & Co&1&2&3"
    assert "inventory-skeleton" in call["options"]


def test_a_refusal_carries_its_reason() -> None:
    with pytest.raises(viewer.LoginRefused) as refused:
        session_from(parse_answer(xmlrpc.client.dumps(
            ({"login": "false", "reason": "key", "message": "No."},), methodresponse=True).encode()))  # fmt: skip
    assert (refused.value.reason, refused.value.message) == ("key", "No.")


BOMB = b"""<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<methodResponse><params><param><value>&b;</value></param></params></methodResponse>"""


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>nginx</html>", b"\xff\xfe\x00", BOMB, b"<methodResponse/>",
        xmlrpc.client.dumps(xmlrpc.client.Fault(1, "boom")).encode(),
        xmlrpc.client.dumps(("text",), methodresponse=True).encode(),
        answer(agent_id="no uuid"), answer(sim_port="many"), answer(**{"buddy-list": [{"x": 1}]}),
        answer(**{"inventory-root": "root"}), answer(circuit_code=[]),
        b"<methodResponse><params><param>" + b"<value><array><data>" * 5000,
    ],
)  # fmt: skip
def test_nonsense_is_a_clear_failure(body: bytes) -> None:
    with pytest.raises(viewer.LoginFailed):
        session_from(parse_answer(body))


@given(st.binary(max_size=400))
def test_arbitrary_answers_fail_clearly(body: bytes) -> None:
    with pytest.raises(viewer.ViewerError):
        session_from(parse_answer(body))


async def test_over_the_wire() -> None:
    async with FakeGrid() as grid:
        with pytest.raises(viewer.LoginRefused, match="key"):
            await fake_viewer(grid.login_uri, "Ann Test", "wrong")
        with pytest.raises(viewer.LoginFailed):
            await fake_viewer(grid.url("/nowhere"), "Ann Test", "pw")
        with pytest.raises(viewer.LoginFailed):
            await fake_viewer("http://127.0.0.1:1/", "Ann Test", "pw")
        with pytest.raises(viewer.LoginFailed):
            await fake_viewer("no address at all", "Ann Test", "pw")
        # a host name or a wild port where a dotted quad belongs: refused, not resolved
        for ip, port in (("sim.example.org", 9000), ("127.0.0.1", 99999), ("", 0)):
            grid.login_reply = answer(sim_ip=ip, sim_port=port, agent_id=str(uuid4()))
            with pytest.raises(viewer.ConnectionLost):
                await fake_viewer(grid.login_uri, "Ann Test", "pw")


@pytest.mark.parametrize(
    ("start", "region"),
    [("last", None), ("home", None), ("uri:Harbour", "Harbour"), ("uri:Cay & Co&1&2&3", "Cay & Co"),
     ("uri: Two Words &12.5&-3&40&", "Two Words"), ("uri:7&7&7&7", "7")],
)  # fmt: skip
def test_a_start_names_a_region(start: str, region: str | None) -> None:
    assert region_of(start) == region


@pytest.mark.parametrize("start", ["", "Harbour", "Last", "uri:", "uri:  ", "URI:Harbour", "uri"])
async def test_a_start_that_is_none_asks_nobody(start: str) -> None:
    async with FakeGrid(("Test", 1000, 1000)) as grid:
        with pytest.raises(viewer.BadStart, match="start is 'last'"):
            await viewer.login(grid.login_uri, "Ann", "Test", "pw", start)
        assert not grid.sessions


async def test_a_grid_that_leads_elsewhere_is_left_again() -> None:
    async with FakeGrid(("Test", 1000, 1000)) as grid:
        with pytest.raises(viewer.StartElsewhere) as led:
            await viewer.login(grid.login_uri, "Ann", "Test", "pw", "uri:Nowhere&1&2&3")
        assert (led.value.asked, led.value.region) == ("Nowhere", "Test")
        await eventually(lambda: not grid.sessions, what="a goodbye")
        async with viewer.login(grid.login_uri, "Ann", "Test", "pw", "uri:Nowhere&1&2&3", anywhere=True) as me:
            assert me.root.name == "Test"
        async with viewer.login(grid.login_uri, "Ann", "Test", "pw", "uri:tEST&1&2&3") as me:
            assert me.root.name == "Test"
