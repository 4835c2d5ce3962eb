"""How a database of an older Mainland becomes one of today: alembic's scripts, one a change, run by storage/schema.py.

To add one: change tables.py, write ``versions/NNNN_what.py`` (``down_revision`` is the HEAD of before), set HEAD. What is
added to a table gets a server default, so that a database that was upgraded and one made today are the same; a
test compares them.
"""

HEAD = "0007"
FIRST = "0001"
