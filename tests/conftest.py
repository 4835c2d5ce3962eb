"""For all tests: property tests judge what comes out, never how long it took, since machines may be busy."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("mainland", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mainland")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share what is dear to make (a grid, a browser) run in one worker of pytest-xdist: a file, or these folders."""
    for item in items:
        path = item.path.relative_to(Path(__file__).parent)
        item.add_marker(pytest.mark.xdist_group(path.parts[0] if path.parts[0] in ("clients", "web") else str(path)))
