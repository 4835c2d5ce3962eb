"""The message table against the facts of the published template that clients depend on."""

from __future__ import annotations

import pytest

from protocol.table import BY_NAME, BY_NUMBER, BY_PREFIX, MESSAGES, parse


def test_every_name_and_number_stands_for_one_message() -> None:
    assert len(BY_NAME) == len(MESSAGES) == len(BY_NUMBER)
    assert len(BY_PREFIX) == sum(spec.frequency != "Event" for spec in MESSAGES)


def test_the_table_holds_the_published_messages_and_the_newer_ones() -> None:
    counts = {kind: sum(spec.frequency == kind for spec in MESSAGES) for kind in ("High", "Medium", "Low", "Fixed")}
    assert sum(counts.values()) == 483
    assert counts["Fixed"] == 3
    for name in ("ObjectAnimation", "GenericStreamingMessage", "GameControlInput", "LargeGenericMessage"):
        assert name in BY_NAME


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("StartPingCheck", "01"),
        ("AgentUpdate", "04"),
        ("LayerData", "0b"),
        ("ObjectUpdate", "0c"),
        ("ObjectAnimation", "1e"),
        ("CoarseLocationUpdate", "ff06"),
        ("UseCircuitCode", "ffff0003"),
        ("ChatFromViewer", "ffff0050"),
        ("ChatFromSimulator", "ffff008b"),
        ("RegionHandshake", "ffff0094"),
        ("ImprovedInstantMessage", "ffff00fe"),
        ("LargeGenericMessage", "ffff01ae"),
        ("PacketAck", "fffffffb"),
        ("OpenCircuit", "fffffffc"),
        ("CloseCircuit", "fffffffd"),
    ],
)
def test_numbers_on_the_wire(name: str, prefix: str) -> None:
    assert BY_NAME[name].prefix.hex() == prefix


def test_blocks_and_fields_are_in_wire_order() -> None:
    message = BY_NAME["ChatFromViewer"]
    assert [block.name for block in message.blocks] == ["AgentData", "ChatData"]
    assert [(f.name, f.type, f.size) for f in message.blocks[1].fields] == [
        ("Message", "Variable", 2),
        ("Type", "U8", 1),
        ("Channel", "S32", 4),
    ]
    assert BY_NAME["NeighborList"].blocks[0].kind == "Multiple"
    assert BY_NAME["NeighborList"].blocks[0].count == 4


def test_flags() -> None:
    assert BY_NAME["AgentUpdate"].zerocoded
    assert not BY_NAME["AgentUpdate"].trusted
    assert BY_NAME["RegionHandshake"].trusted
    assert BY_NAME["TeleportFinish"].queue_only
    assert not BY_NAME["TeleportLocal"].queue_only


def test_additions_may_be_left_off_the_end() -> None:
    additions = {(spec.name, block.name) for spec in MESSAGES for block in spec.blocks if block.optional}
    assert additions == {
        ("ImprovedInstantMessage", "MetaData"),
        ("AvatarAppearance", "AttachmentBlock"),
        ("ParcelProperties", "ParcelEnvironmentBlock"),
        ("RegionInfo", "RegionInfo5"),
        ("RegionInfo", "CombatSettings"),
        ("ScriptTeleportRequest", "Options"),
        ("MapBlockReply", "Size"),
    }
    for spec in MESSAGES:  # only at the end can a block be left off
        flags = [block.optional for block in spec.blocks]
        assert flags == sorted(flags)


def test_the_language_reads_groups_counts_and_continued_lines() -> None:
    (spec,) = parse("# why\nOne Low 5 trusted\n A: U8 X Y, Variable2\n   Z\n B[3]: Fixed7 F\n C[]?: LLUUID ID\n")
    assert [(b.name, b.kind, b.count, b.optional) for b in spec.blocks] == [
        ("A", "Single", 1, False),
        ("B", "Multiple", 3, False),
        ("C", "Variable", 1, True),
    ]
    assert [(f.name, f.type, f.size) for f in spec.blocks[0].fields] == [
        ("X", "U8", 1),
        ("Y", "U8", 1),
        ("Z", "Variable", 2),
    ]
    assert spec.blocks[1].fields[0].size == 7


@pytest.mark.parametrize("line", [" A U8 X", " A: Word X"])
def test_a_line_it_cannot_read_is_an_error(line: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        parse(f"One Low 5\n{line}\n")
