import pytest

from grid import settings
from grid.errors import GridError


def load(tmp_path, text, **command_line):
    file = tmp_path / "mainland.toml"
    file.write_text(text)
    return settings.load(file, **command_line)


def test_every_setting_has_a_reason_a_sound_default_and_a_sensible_range():
    for setting in settings.SETTINGS:
        assert len(setting.reason) > 15 and setting.low is not None and setting.high is not None
        if setting.default is not None:
            assert setting.check(setting.default, "default") == setting.default


def test_the_command_line_wins_over_the_file_and_the_file_over_the_default(tmp_path):
    found = load(tmp_path, 'name = "Ours"\nhttp_port = 9500\n', http_port=9600, regions=None)
    assert (found.name, found.http_port, found.regions) == ("Ours", 9600, "2x2")
    assert found.given == {"name", "http_port"}


def test_an_absent_file_means_defaults(tmp_path):
    assert settings.load(tmp_path / "none.toml").values == settings.load().values


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("htp_port = 1", "'http_port'"),
        ("loglevel = 1", "did you mean"),
        ('http_port = "9000"', "a whole number"),
        ("http_port = true", "a whole number"),
        ("http_port = 70000", "0 to 65535"),
        ("stop_seconds = nan", "out of range"),
        ("name = ''", "1 to 63"),
        ("name = ", "not a TOML file"),
        ("bind = '::1'", "IPv4"),
        ("bind = 'example.org'", "IPv4"),
        ("scene = 7", "must be text"),
        ("public_url = 'world.example.org'", "no web address"),
        ("public_assets_url = 'ftp://world.example.org'", "no web address"),
        ("trusted_proxies = '10.0.0.0/8, proxy.example'", "proxy.example"),
        ("trusted_proxies = '10.0.0.1/8'", "host bits"),
        ("region = 7", "tables by region name"),
        ("[region]\nscene = 'none'", "tables by region name"),
        ("[region.Harbour]\nname = 'x'", "no setting of a region"),
        ("[region.Harbour]\nphysics = 3", "must be text"),
    ],
)
def test_a_mistake_names_the_key_and_what_is_allowed(tmp_path, text, named):
    with pytest.raises(GridError) as caught:
        load(tmp_path, text)
    assert named in caught.value.problem + caught.value.hint
    assert caught.value.hint


def test_whole_numbers_are_fine_where_numbers_are_asked(tmp_path):
    assert load(tmp_path, "stop_seconds = 3").stop_seconds == 3.0


def test_localhost_is_an_address():
    assert settings.load(bind="localhost").bind == "127.0.0.1"
