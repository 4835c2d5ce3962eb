"""Accounts made with the server down, and beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from backbone import admin
from tests.backbone.kit import PASSWORD, Server, client_of, fake_sim, log_in


async def test_accounts_made_offline_can_log_in(tmp_path: Path) -> None:
    data = tmp_path / "fresh"
    server = Server(data)
    made = admin.add_user(data, "Off", "Line", PASSWORD, server.database)
    with pytest.raises(admin.NameTaken):
        admin.add_user(data, "OFF", "line", "other", server.database)
    for first, last, password in (
        ("bad name", "x", "pw"),
        ("", "x", "pw"),
        ("Good", "x", ""),
        ("Good", "x", "x" * 300),
    ):
        with pytest.raises(ValueError, match=r"name|password"):
            admin.add_user(data, first, last, password)
    server.start()
    try:
        async with client_of(server) as backbone, fake_sim(backbone, "Plaza") as sim:
            assert await backbone.get_user(made["agent_id"]) == made
            assert (await log_in(server.url, "off", "line"))["agent_id"] == made["agent_id"]
            beside = await asyncio.to_thread(admin.add_user, data, "Be", "", PASSWORD, server.database)
            assert beside["last"] == "Resident"
            assert (await log_in(server.url, "be", ""))["agent_id"] == beside["agent_id"]
            assert len(sim.agents) == 2
    finally:
        assert server.stop() == 0
