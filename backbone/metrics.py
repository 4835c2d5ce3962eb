"""What Backbone counts, each declared once with what it means; /metrics prints them for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, says: str, *labels: str) -> Counter:
            return Counter(f"backbone_{name}", says, labels, registry=self.registry)

        def gauge(name: str, says: str) -> Gauge:
            return Gauge(f"backbone_{name}", says, registry=self.registry)

        def histogram(name: str, says: str, *labels: str) -> Histogram:
            return Histogram(f"backbone_{name}", says, labels, registry=self.registry, buckets=BUCKETS)

        self.requests = counter("requests", "HTTP requests answered", "method", "route", "status")
        self.request_seconds = histogram("request_seconds", "from request to answer, by route", "route")
        self.errors = counter("errors", "requests that failed inside Backbone", "route")
        self.bad_requests = counter("bad_requests", "requests refused before their handler, by what was wrong", "why")
        self.logins = counter("logins", "login attempts, by outcome", "outcome")
        self.login_seconds = histogram("login_seconds", "from parsed login to reply")
        self.replaced_sessions = counter("replaced_sessions", "logins that ended an earlier session of the account")
        self.region_refusals = counter("region_refusals", "sims that did not take an agent at login")
        self.messages = counter("messages", "instant messages, by what became of them", "result")
        self.notifications = counter(
            "notifications", "friends' news to regions, by kind and outcome", "kind", "outcome"
        )
        self.expired_leases = counter("expired_leases", "regions whose lease ended without being given back")
        self.heartbeats = counter("heartbeats", "heartbeats of regions")
        self.heartbeat_agents = counter("heartbeat_agents", "agents confirmed by heartbeats")
        self.sessions = gauge("sessions", "people logged in, arrived or not")
        self.online = gauge("online", "people online")
        self.regions = gauge("regions", "regions with a running lease")
