import json
import socket

import pytest

from grid import names, plan, ports, services, settings
from grid.errors import GridError
from grid.layout import Layout


@pytest.fixture
def layout(tmp_path):
    made = Layout(tmp_path / "data")
    made.create()
    return made


@pytest.fixture
def claims():
    made = ports.Ports("127.0.0.1")
    yield made
    made.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(("text", "size"), [("1x1", (1, 1)), ("2x2", (2, 2)), ("3X2", (3, 2)), ("16x16", (16, 16))])
def test_sizes(text, size):
    assert plan.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "2", "0x1", "2x0", "-1x2", "2x2x2", "17x16", "axb", "100x1", " 2x2"])
def test_what_is_no_size_is_explained(text):
    with pytest.raises(GridError, match="is not a size") as caught:
        plan.parse_size(text)
    assert "2x2" in caught.value.hint


def test_the_first_regions_have_names_of_their_own_and_lie_side_by_side():
    regions = plan.lay_out([], 2, 2)
    assert [r.name for r in regions] == ["Harbour", "Meadow", "Ridge", "Shore"]
    assert [(r.grid_x, r.grid_y) for r in regions] == [(1000, 1000), (1001, 1000), (1000, 1001), (1001, 1001)]
    assert len({r.region_id for r in regions}) == 4


def test_the_largest_grid_has_unique_names():
    assert len({r.name.casefold() for r in plan.lay_out([], 16, 16)}) == 256


def test_growing_keeps_what_is_there():
    before = plan.lay_out([], 2, 2)
    after = plan.lay_out(list(before), 3, 2)
    assert [region.age for region in after] == [0, 0, 0, 0, 1, 1]
    assert after[:4] == before and len(after) == 6
    assert {(r.grid_x, r.grid_y) for r in after[4:]} == {(1002, 1000), (1002, 1001)}


def test_shrinking_is_refused_by_name():
    with pytest.raises(GridError, match="would lose Meadow, Shore") as caught:
        plan.lay_out(plan.lay_out([], 2, 2), 1, 2)
    assert "2x2" in caught.value.hint


def test_names_differ_in_more_than_case():
    assert next(names.fresh(["HARBOUR"])) == "Meadow"


def test_a_saved_grid_comes_back_as_it_was(layout, claims):
    grid = plan.decide(None, settings.load(regions="2x1", name="Ours"))
    plan.choose_ports(grid, settings.load(http_port=0), claims)
    plan.save(layout, grid)
    again = plan.decide(plan.load(layout), settings.load())
    assert again == grid
    claims.close()
    assert plan.choose_ports(again, settings.load(), claims) == []
    assert again == grid and len({again.http_port, again.assets_port, *(r.port for r in again.regions)}) == 4


@pytest.mark.parametrize("damage", ["{", "[]", "{}", '{"format": 1, "regions": 3}', '{"format": 99}'])
def test_a_damaged_or_newer_file_is_an_error_never_a_new_world(layout, damage):
    layout.saved.write_text(damage)
    with pytest.raises(GridError, match=r"grid\.json"):
        plan.load(layout)
    assert layout.saved.read_text() == damage


def test_a_login_port_asked_for_and_taken_is_an_error_naming_it(claims):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        asked = settings.load(http_port=port)
        with pytest.raises(GridError, match=f"port {port} on 127.0.0.1 is taken"):
            plan.choose_ports(plan.decide(None, asked), asked, claims)


def test_a_default_login_port_that_is_taken_moves_and_says_so(claims, monkeypatch):
    grid, chosen = plan.decide(None, settings.load(regions="1x1")), settings.load()
    free = claims.take
    monkeypatch.setattr(claims, "take", lambda port, udp=False: port != 9000 and free(port, udp))
    (note,) = plan.choose_ports(grid, chosen, claims)
    assert "9000" in note and str(grid.http_port) in note and grid.http_port > 9000


def test_a_region_port_taken_meanwhile_moves_and_says_so(claims):
    asked = settings.load(http_port=0, regions="1x1")
    grid = plan.decide(None, asked)
    plan.choose_ports(grid, asked, claims)
    claims.close()
    before = grid.regions[0].port
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", before))
        (note,) = plan.choose_ports(grid, asked, claims)
    assert str(before) in note and "Harbour" in note and grid.regions[0].port != before


def test_two_grids_never_take_the_same_port(claims):
    other = ports.Ports("127.0.0.1")
    try:
        port = claims.take_any()
        assert not other.take(port) and not claims.take(port)
        claims.give_back([port])
        assert other.take(port)
    finally:
        other.close()


def test_an_address_of_another_machine_cannot_be_bound():
    away = ports.Ports("192.0.2.1")
    with pytest.raises(GridError, match="not an address of this machine"):
        away.take(free_port())
    away.close()


def test_what_viewers_are_told_is_the_advertised_address():
    grid = plan.decide(None, settings.load(bind="0.0.0.0", advertise="203.0.113.7"))
    assert (grid.address, grid.inner) == ("203.0.113.7", "127.0.0.1")
    assert plan.decide(None, settings.load(bind="127.0.0.1")).address == "127.0.0.1"
    with pytest.raises(GridError, match="no IPv4 address"):
        plan.resolve("no such host.invalid")


def test_the_folder_is_the_owners_alone(layout):
    assert layout.root.stat().st_mode & 0o777 == 0o700
    assert layout.secret.stat().st_mode & 0o777 == 0o600
    secret = layout.read_secret()
    assert len(secret) > 30
    layout.secret.chmod(0o644)
    layout.create()
    assert layout.read_secret() == secret and layout.secret.stat().st_mode & 0o777 == 0o600
    plan.save(layout, plan.decide(None, settings.load()))
    assert layout.saved.stat().st_mode & 0o777 == 0o600 and json.loads(layout.saved.read_text())["format"] == 1


def test_a_file_in_the_way_of_the_folder_is_explained(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GridError, match=r"in the way|cannot use"):
        Layout(tmp_path / "file").create()
    with pytest.raises(GridError, match="cannot use"):
        Layout(tmp_path / "file" / "below").create()


def test_a_fresh_grid_welcomes_in_its_first_region_alone():
    grid = plan.decide(None, settings.load(regions="2x1"))
    assert [(region.scene, region.physics) for region in grid.regions] == [("welcome", "numba"), ("none", "numba")]
    assert plan.decide(None, settings.load(scene="none")).regions[0].scene == "none"


def test_scenes_and_engines_stay_until_others_are_asked_for(layout, tmp_path, monkeypatch):
    scene = tmp_path / "mine.toml"
    scene.write_text("[[prim]]\nposition = [5, 5, 5]\n")
    monkeypatch.chdir(tmp_path)
    grid = plan.decide(None, settings.load(regions="2x1", scene="mine.toml", physics="bullet"))
    assert [(region.scene, region.physics) for region in grid.regions] == [(str(scene), "bullet"), ("none", "bullet")]
    plan.save(layout, grid)
    assert plan.decide(plan.load(layout), settings.load()) == grid
    (tmp_path / "mainland.toml").write_text("[region.Meadow]\nscene = 'mine.toml'\nphysics = 'numba'\n")
    changed = plan.decide(plan.load(layout), settings.load(tmp_path / "mainland.toml", scene="none"))
    assert [(region.scene, region.physics) for region in changed.regions] == [("none", "bullet"), (str(scene), "numba")]


def test_a_grid_saved_before_scenes_stays_bare(layout):
    plan.save(layout, plan.decide(None, settings.load()))
    saved = json.loads(layout.saved.read_text())
    for region in saved["regions"]:
        del region["scene"], region["physics"]
    layout.saved.write_text(json.dumps(saved))
    grid = plan.decide(plan.load(layout), settings.load())
    assert {(region.scene, region.physics) for region in grid.regions} == {("none", "numba")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("physics = 'havok'", "use numba or bullet"),
        ("scene = 'nowhere.toml'", "nowhere.toml: No such file"),
        ("scene = 'bad.toml'", "bad.toml: prim 1: size must be 3 numbers"),
        ("[region.Meadow]\nscene = 'bad.toml'", "region Meadow: scene bad.toml: prim 1"),
        ("[region.Medow]\nscene = 'none'", "there is no region 'Medow'"),
    ],
)
def test_scenes_and_engines_that_are_none_are_said_before_anything_starts(tmp_path, text, said):
    (tmp_path / "bad.toml").write_text("[[prim]]\nsize = 3\n")
    (tmp_path / "mainland.toml").write_text(text)
    with pytest.raises(GridError) as caught:
        plan.decide(None, settings.load(tmp_path / "mainland.toml"))
    assert said in f"{caught.value.problem}; {caught.value.hint}" and caught.value.hint


def test_a_machine_without_bullet_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(plan.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(GridError, match="pybullet is not installed") as caught:
        plan.decide(None, settings.load(physics="bullet"))
    assert "pip install 'mainland[bullet]'" in caught.value.hint


def test_a_machine_without_an_address_for_others_says_what_to_set(monkeypatch):
    class Nowhere:
        def __init__(self, *_):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def connect(self, _):
            raise OSError("Network is unreachable")

    monkeypatch.setattr(plan.socket, "socket", Nowhere)
    with pytest.raises(GridError) as caught:
        plan.decide(None, settings.load(bind="0.0.0.0"))
    assert "--advertise" in caught.value.hint
    assert plan.decide(None, settings.load(bind="0.0.0.0", advertise="203.0.113.7")).address == "203.0.113.7"
    assert plan.decide(None, settings.load()).address == "127.0.0.1"


def test_what_stands_behind_a_proxy_is_told_by_the_proxy_s_address(tmp_path):
    asked = settings.load(
        bind="0.0.0.0", advertise="203.0.113.7", public_url="https://world.example.org",
        public_assets_url="https://assets.example.org/store/", trusted_proxies="127.0.0.1, 10.0.0.0/8",
    )  # fmt: skip
    grid = plan.decide(None, asked)
    grid.http_port, grid.assets_port = 9000, 9001
    assert grid.login_uri == "https://world.example.org/"
    assert grid.assets_uri == "https://assets.example.org/store"
    layout = Layout(tmp_path)
    layout.create()
    config = services.sims_config(grid, layout)
    assert config["public_assets_url"] == "https://assets.example.org/store" and config["inner"] == "127.0.0.1"
    assert config["assets_url"] == "http://127.0.0.1:9001"
    for name in ("backbone", "assets", "web"):
        argv = services.commands(grid, layout)[name].argv
        assert argv[argv.index("--trusted-proxies") + 1] == "127.0.0.1/32,10.0.0.0/8"
    plan.save(layout, grid)
    assert plan.load(layout) == grid
