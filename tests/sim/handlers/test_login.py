"""What clients cannot finish their login without."""

from __future__ import annotations

from protocol.message import Message, text
from protocol.wellknown import DEFAULT_WEARABLES
from tests.kit.world import TestSimulator, add_root, settle


async def test_region_info_has_both_blocks(sim: TestSimulator) -> None:
    anna = add_root(sim)
    anna.sends(Message("RequestRegionInfo"))
    (info,) = anna.heard("RegionInfo")
    assert text(info["RegionInfo"]["SimName"]) == "Here"
    assert info["RegionInfo2"]["MaxAgents32"] == sim.world.facts.max_agents
    assert info["RegionInfo"]["EstateID"] == 100


async def test_a_region_finds_its_own_name_on_the_map(sim: TestSimulator) -> None:
    anna = add_root(sim)
    anna.sends(Message("MapNameRequest", NameData={"Name": "Here"}))
    (reply,) = anna.heard("MapBlockReply")
    first, end = reply["Data"]
    assert (text(first["Name"]), first["X"], first["Y"]) == ("Here", 1000, 1000)
    assert (text(end["Name"]), end["X"], end["Y"], end["Access"]) == ("Here", 0, 0, 255)
    assert reply["Size"] == [{"SizeX": 256, "SizeY": 256}] * 2


async def test_wearables_come_from_the_current_outfit(sim: TestSimulator) -> None:
    anna = add_root(sim)
    sim.backbone.add_inventory(anna.id)
    anna.sends(Message("AgentWearablesRequest"))
    await settle(sim)
    (update,) = anna.heard("AgentWearablesUpdate")
    worn = {block["WearableType"]: block for block in update["WearableData"]}
    assert set(worn) == {int(kind) for kind in DEFAULT_WEARABLES}
    assert {block["AssetID"] for block in update["WearableData"]} == set(DEFAULT_WEARABLES.values())
    assert all(str(block["ItemID"]) in sim.backbone.items[str(anna.id)] for block in update["WearableData"])


async def test_wearables_are_answered_without_backbone(sim: TestSimulator) -> None:
    anna = add_root(sim)
    await settle(sim)
    sim.backbone.down = True
    anna.sends(Message("AgentWearablesRequest"))
    await settle(sim)
    (update,) = anna.heard("AgentWearablesUpdate")
    assert {block["WearableType"] for block in update["WearableData"]} >= {0, 1, 2, 3}


async def test_names_and_balance_and_the_rest_are_answered(sim: TestSimulator) -> None:
    anna = add_root(sim, "Anna Tester")
    await settle(sim)
    anna.forget()
    for name in ("AgentDataUpdateRequest", "EconomyDataRequest", "MoneyBalanceRequest", "MuteListRequest"):
        anna.sends(Message(name))
    anna.sends(Message("EstateCovenantRequest"))
    (update,) = anna.heard("AgentDataUpdate")
    assert (text(update["AgentData"]["FirstName"]), text(update["AgentData"]["LastName"])) == ("Anna", "Tester")
    assert len(anna.heard("EconomyData")) == len(anna.heard("MoneyBalanceReply")) == 1
    await settle(sim)
    assert len(anna.heard("MuteListUpdate")) == len(anna.heard("EstateCovenantReply")) == 1


async def test_the_welcome(sim: TestSimulator) -> None:
    anna = add_root(sim)
    bert = add_root(sim, "Bert Tester")
    sim.backbone.befriend(anna.id, bert.id, "Bert Tester")
    sim.backbone.presence[str(bert.id)] = str(sim.world.facts.region_id)
    await settle(sim)
    assert anna.heard("HealthMessage") and anna.heard("AgentDataUpdate")
    (online,) = anna.heard("OnlineNotification")
    assert online["AgentBlock"] == [{"AgentID": bert.id}]
    assert len(anna.events("AgentGroupDataUpdate")) == 1
    (parcel,) = anna.events("ParcelProperties")
    assert parcel["ParcelData"][0]["SequenceID"] == 1
    assert parcel["ParcelData"][0]["RequestResult"] == 0


async def test_walking_over_is_no_login(sim: TestSimulator) -> None:
    anna = add_root(sim, reason="crossing")
    sim.backbone.befriend(anna.id, anna.id, "Somebody Else")
    await settle(sim)
    assert anna.events("ParcelProperties")
    assert not sim.backbone.called("get_friends")
