"""For all tests: property tests judge what comes out, never how long it took, since machines may be busy."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("mainland", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mainland")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share what is dear to make run in one worker of pytest-xdist: a file, or the folder with one grid for all."""
    for item in items:
        path = item.path.relative_to(Path(__file__).parent)
        item.add_marker(pytest.mark.xdist_group(path.parts[0] if path.parts[0] == "clients" else str(path)))
