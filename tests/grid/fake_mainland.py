"""The `mainland` command with fake services underneath: `python -m tests.grid.fake_mainland up ...`."""

from grid import services
from grid.cli import app
from tests.grid import fakes

if __name__ == "__main__":
    services.commands = fakes.table  # type: ignore[assignment]
    app(prog_name="mainland")
