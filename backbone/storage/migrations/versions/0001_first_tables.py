"""The tables of the first Mainland, which it made itself and called schema version 1.

No database is ever made by this script: a fresh one gets today's tables at once, and an old one has these already.
"""

from __future__ import annotations

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing to do: see above."""
