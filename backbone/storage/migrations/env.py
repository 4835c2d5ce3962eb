"""What alembic runs around the scripts: on the connection, and inside the transaction, of storage/schema.py."""

from __future__ import annotations

from alembic import context

from backbone.storage.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
