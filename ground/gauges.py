"""The doors' figures for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

from ground.doors import Doors


def show(doors: Doors, registry: CollectorRegistry, service: str) -> None:
    """Connections and what became of those that had to go, read whenever the registry is."""

    def gauge(name: str, says: str) -> Gauge:
        return Gauge(f"{service}_connections{name}", says, registry=registry)

    gauge("", "connections held").set_function(lambda: len(doors))
    gauge("_most", "connections that fit").set_function(lambda: doors.most)
    gauge("_pushed_out", "waiting connections ended in favour of newcomers").set_function(lambda: doors.pushed_out)
    gauge("_turned_away", "newcomers that found everybody busy").set_function(lambda: doors.turned_away)
    gauge("_timed_out", "connections whose head, body or next request did not come").set_function(lambda: doors.timed_out)
