"""`python -m grid` is the `mainland` command for those who have not put it on their PATH."""

from grid.cli import app

app(prog_name="mainland")
