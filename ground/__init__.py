"""What every service process stands on: the green hub, the HTTP server and its limits, stacks on signals.

green.py     everything of eventlet: greenlets, native threads, batches
server.py    the HTTP server of Backbone and the asset service: accepts without end, drains when it ends
doors.py     who may be connected and for how long; pure, for every server      visitors.py   the same doors for aiohttp
gauges.py    the doors' figures for Prometheus
proxies.py   who asks, when a proxy stands between; pure
stacks.py    kill -USR1 prints all stacks; standard library only, for every process

Knows nobody: the other packages import it, and it imports none of them.
"""
