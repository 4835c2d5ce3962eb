"""Databases of older Mainlands open and go on; a database that is not the grid's is refused."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from backbone import admin
from backbone.storage import migrations, schema
from backbone.storage.database import Direct, open_engine, sqlite_url
from backbone.storage.schema import MARK, NewerDatabase, WrongDatabase
from backbone.storage.stores import SqlStores
from backbone.storage.tables import metadata
from tests.backbone.kit import PASSWORD, Server, client_of, fake_sim, log_in

# What schema version 1 wrote: two friends, one with a home, a session and a message; a region.
OLD = Path(__file__).with_name("data") / "schema_1.sql"
ADA_REGION = "6a0e5a0c-6f0a-4a55-8c9e-0b8c5a1f6f01"


def old_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / schema.FILE_NAME)) as plain:
        plain.executescript(OLD.read_text(encoding="utf-8"))
    return folder


def copies(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if ".before-" in path.name]


def test_an_old_database_becomes_what_a_fresh_one_is(tmp_path: Path) -> None:
    folder = old_folder(tmp_path / "old")
    old, fresh = open_engine(sqlite_url(folder)), open_engine(sqlite_url(tmp_path))
    for engine in (old, fresh):
        with engine.connect() as conn:
            assert compare_metadata(MigrationContext.configure(conn), metadata) == []
    shapes = []
    for engine in (old, fresh):
        looked = inspect(engine)
        shapes.append(
            {
                table: (
                    sorted((c["name"], str(c["type"]), c["nullable"]) for c in looked.get_columns(table)),
                    sorted((i["name"], tuple(i["column_names"])) for i in looked.get_indexes(table)),
                )
                for table in looked.get_table_names()
            }
        )
    assert shapes[0] == shapes[1]
    for engine in (old, fresh):
        engine.dispose()


def test_an_upgrade_leaves_a_copy_and_keeps_everything(tmp_path: Path) -> None:
    folder = old_folder(tmp_path)
    engine = open_engine(sqlite_url(folder))
    stores = SqlStores(Direct(engine))
    ada, ben = (stores.people.by_name(f"{first} Mainland") for first in ("ada", "ben"))
    assert ada is not None and ben is not None
    assert stores.people.eldest() == ada
    assert stores.people.search("MAINL", 10) == [ada, ben]
    assert stores.people.place(ada["agent_id"], "home") == {
        "region_id": ADA_REGION, "position": [1.0, 2.0, 3.0], "look_at": [1.0, 0.0, 0.0],
    }  # fmt: skip
    assert stores.people.profile(ada["agent_id"]) == {"about": "I was here first."}
    assert [one["agent_id"] for one in stores.friends.friends_of(ada["agent_id"])] == [ben["agent_id"]]
    assert [one["message"] for one in stores.messages.waiting(ada["agent_id"])] == ["hello from before"]
    (region,) = stores.regions.all()
    assert (region["region_id"], region["held_by"], region["owner_id"]) == (ADA_REGION, None, None)
    engine.dispose()
    (copy,) = copies(folder)
    with closing(sqlite3.connect(copy)) as plain:
        assert plain.execute("SELECT version FROM schema").fetchall() == [(1,)]
        assert plain.execute("SELECT count(*) FROM accounts").fetchone() == (2,)
    open_engine(sqlite_url(folder)).dispose()
    assert copies(folder) == [copy]  # up to date: nothing to copy


def test_an_upgrade_that_fails_changes_nothing(tmp_path: Path) -> None:
    folder = old_folder(tmp_path)
    with closing(sqlite3.connect(folder / schema.FILE_NAME)) as plain:
        plain.execute("UPDATE messages SET message = 'no json'")
        plain.commit()
        before = list(plain.iterdump())
    with pytest.raises(ValueError, match="Expecting value"):
        open_engine(sqlite_url(folder))
    with closing(sqlite3.connect(folder / schema.FILE_NAME)) as plain:
        assert list(plain.iterdump()) == before


async def test_a_grid_of_before_goes_on(tmp_path: Path) -> None:
    server = Server(tmp_path)
    if server.database is not None:  # these tests run on PostgreSQL: the old folder is SQLite's all the same
        server.database = None
    old_folder(tmp_path)
    server.start()
    try:
        async with client_of(server) as backbone, fake_sim(backbone, "New Harbour", 1000, 1001) as sim:
            login = await log_in(server.url, "Ada", "Mainland", start=f"uri:{sim.name}&1&2&3")
            assert login["login"] == "true"
            assert len(login["buddy-list"]) == 1
            assert (await sim.arrive(backbone, login))["online"]
            assert (await backbone.get_region(ADA_REGION))["owner_id"] == login["agent_id"]
    finally:
        assert server.stop() == 0, server.log()
    assert "copy of it is" in server.log()


def test_the_scripts_end_where_fresh_tables_begin() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]


def test_a_newer_database_is_not_touched(tmp_path: Path) -> None:
    open_engine(sqlite_url(tmp_path)).dispose()
    with closing(sqlite3.connect(tmp_path / schema.FILE_NAME)) as plain:
        plain.execute("UPDATE alembic_version SET version_num = '9999'")
        plain.commit()
    with pytest.raises(NewerDatabase, match="9999"):
        open_engine(sqlite_url(tmp_path))


def test_tables_without_a_revision_are_not_guessed_at(tmp_path: Path) -> None:
    engine = create_engine(sqlite_url(tmp_path))
    with engine.connect() as conn, conn.begin():
        metadata.create_all(conn)
    engine.dispose()
    with pytest.raises(WrongDatabase, match="without a revision"):
        open_engine(sqlite_url(tmp_path))


# whose database it is --------------------------------------------------------------------------------


def test_another_database_than_the_grids_is_refused(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "grid", tmp_path / "elsewhere"
    elsewhere.mkdir()
    admin.add_user(folder, "Ann", "Test", PASSWORD)
    empty = sqlite_url(elsewhere)
    with pytest.raises(WrongDatabase, match=r"is empty, but this grid's accounts are in .*grid"):
        admin.add_user(folder, "Ben", "Test", PASSWORD, empty)
    other_grid = tmp_path / "other"
    admin.add_user(other_grid, "Eve", "Test", PASSWORD)
    with pytest.raises(WrongDatabase, match="another grid's"):
        admin.add_user(folder, "Ben", "Test", PASSWORD, sqlite_url(other_grid))
    admin.add_user(folder, "Ben", "Test", PASSWORD)  # its own goes on
    # Moved as a whole, it is the grid's database still.
    shutil.copy(folder / schema.FILE_NAME, elsewhere / schema.FILE_NAME)
    admin.add_user(folder, "Cat", "Test", PASSWORD, empty)
    # Whoever means it says so.
    (folder / MARK).unlink()
    (folder / schema.FILE_NAME).unlink()
    admin.add_user(folder, "Dan", "Test", PASSWORD)


@pytest.mark.parametrize("how", ["removed", "emptied"])
def test_an_emptied_database_does_not_start_a_new_grid(tmp_path: Path, how: str) -> None:
    server = Server(tmp_path)
    server.database = None
    admin.add_user(tmp_path, "Ann", "Test", PASSWORD)
    for path in tmp_path.glob(f"{schema.FILE_NAME}*"):
        path.unlink() if how == "removed" else path.write_bytes(b"")
    with pytest.raises(AssertionError, match=r"Backbone does not start: .* is empty, but this grid's accounts are in"):
        server.start()
    assert "Traceback" not in server.log()


def test_a_setting_changed_before_the_first_start_of_this_version_is_noticed_too(tmp_path: Path) -> None:
    folder, elsewhere = old_folder(tmp_path / "grid"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    with pytest.raises(WrongDatabase, match="holds 2 accounts"):
        admin.add_user(folder, "Ben", "Test", PASSWORD, sqlite_url(elsewhere))


def test_a_damaged_note_is_no_licence(tmp_path: Path) -> None:
    admin.add_user(tmp_path, "Ann", "Test", PASSWORD)
    for damage in ("", "[]", "{}", '{"grid_id": 1'):
        (tmp_path / MARK).write_text(damage)
        with pytest.raises(WrongDatabase, match="cannot be read"):
            admin.add_user(tmp_path, "Ben", "Test", PASSWORD)


async def test_the_first_account_marks_the_folder_while_the_server_runs(tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    try:
        assert not (tmp_path / MARK).exists()
        async with client_of(server) as backbone:
            await backbone.create_user("Ann", "Test", PASSWORD)
        assert json.loads((tmp_path / MARK).read_text())["grid_id"]
    finally:
        assert server.stop() == 0
