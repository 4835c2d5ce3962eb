import pytest

from tests.grid.kit import Mainland


@pytest.fixture
def mainland(tmp_path):
    """The command on an empty data directory, with fake services."""
    command = Mainland(tmp_path / "data")
    yield command
    command.close()


@pytest.fixture
def second(tmp_path):
    """Another grid on the same machine."""
    command = Mainland(tmp_path / "second")
    yield command
    command.close()
