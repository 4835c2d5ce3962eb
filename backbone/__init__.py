"""Backbone: who is who, who is where, and what they own. REST over Falcon on eventlet, SQLite by default.

__main__.py      the process: arguments, ready line, clean stop          admin.py   accounts with the server down
app.py           the WSGI application       services.py  what it runs on, and the regular chores
client.py        for sims and tools (asyncio)
http/            the kit of declared resources, JSON schemas, OpenAPI
resources/       the REST resources, one file a family
login/           XML-RPC login: the bytes, the request, limits, the flow, the reply
presence.py      sessions and who is where, in memory, pure              directory.py   regions and their leases
routing.py       instant messages     notifications.py  friends' news     sims.py       calls to the sims
passwords.py     the protocol's digest inside a slow hash     hashing.py  the thread that computes it
storage/         tables, the one thread that commits, and the rows of each family
"""
