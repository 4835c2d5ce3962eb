"""`mainland inventory` on a database without a running grid: what is told, and the way back."""

import time
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from backbone import admin
from grid import plan
from grid.cli import app
from grid.errors import GridError
from grid.layout import Layout
from grid.moments import moment
from grid.plan import Grid, Region
from protocol.wellknown import AssetType, Folder

NOON = datetime(2026, 1, 31, 12, 0)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "grid")
    made.create()
    plan.save(made, Grid("Test", "127.0.0.1", None, 9000, 9001, None, regions=[Region(str(uuid4()), "Here", 1000, 1000)]))
    admin.add_user(made.backbone, "Ann", "Example", "a password")
    return made


def run(layout: Layout, *args: str) -> str:
    answer = CliRunner().invoke(app, ["inventory", *args, "--data", str(layout.root)], terminal_width=200)
    assert answer.exit_code == 0, answer.output
    return " ".join(answer.output.split())


def test_things_are_told_of_and_come_back(layout: Layout) -> None:
    with admin.inventory(layout.backbone, "ann example") as (ann, store):
        folders = {row["type"]: row["folder_id"] for row in store.skeleton(ann)["folders"]}
        item = {"parent_id": folders[Folder.OBJECTS], "asset_id": str(uuid4()), "name": "Chair", "type": int(AssetType.OBJECT), "inv_type": 6}
        chair, _ = store.create_item(ann, item, 0)
        made_at = store.history(ann, 0.0, 1)["changes"][0]["at"]
        while time.time() < made_at + 0.01:
            pass
        store.update_item(ann, chair["item_id"], {"parent_id": folders[Folder.TRASH]})
    assert "Chair Objects -> Trash" in run(layout, "history", "Ann", "Example", "--since", "1h")
    assert "item Chair Objects" in run(layout, "trash", "Ann Example")
    to = f"@{made_at + 0.005:.4f}"
    with admin.inventory(layout.backbone, ann) as (_, store):
        store.purge_folder(ann, folders[Folder.TRASH])
    before = CliRunner().invoke(app, ["inventory", "restore", "Ann Example", "--to", "3d", "--data", str(layout.root)])
    assert before.exit_code == 1 and "history of this inventory begins" in before.output
    for _ in range(2):
        assert "1 would be there again: item Chair" in run(layout, "restore", "Ann Example", "--to", to, "--dry-run")
    assert "1 is there again: item Chair" in run(layout, "restore", "Ann Example", "--to", to)
    with admin.inventory(layout.backbone, ann) as (_, store):
        assert store.item(ann, chair["item_id"]) == chair


def test_a_person_who_is_not_there_is_said_so(layout: Layout) -> None:
    answer = CliRunner().invoke(app, ["inventory", "trash", "No Body", "--data", str(layout.root)])
    assert answer.exit_code == 1 and "there is no account No Body" in answer.output


@pytest.mark.parametrize(
    ("text", "means"),
    [("20m", datetime(2026, 1, 31, 11, 40)), ("1.5h", datetime(2026, 1, 31, 10, 30)), ("2 d", datetime(2026, 1, 29, 12)),
     ("11:59", datetime(2026, 1, 31, 11, 59)), ("12:01", datetime(2026, 1, 30, 12, 1)), ("2026-01-02", datetime(2026, 1, 2)),
     ("@1769857200.25", datetime.fromtimestamp(1769857200.25)), ("2026-01-02 03:04:05", datetime(2026, 1, 2, 3, 4, 5))],
)  # fmt: skip
def test_moments_as_people_type_them(text: str, means: datetime) -> None:
    assert moment(text, NOON) == means.timestamp()


@pytest.mark.parametrize("text", ["", "yesterday", "25:00", "2026-13-01", "-5m", "1e9d", "9999999999d"])
def test_what_is_no_moment_is_said_so(text: str) -> None:
    with pytest.raises(GridError):
        moment(text, NOON)
