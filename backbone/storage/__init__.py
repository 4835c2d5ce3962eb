"""What Backbone keeps: tables, and per family a module of plain functions that take a SQLAlchemy connection."""
