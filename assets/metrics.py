"""What the asset service counts, each declared once. One set per service, so that tests can have their own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, says: str, *labels: str) -> Counter:
            return Counter(f"assets_{name}", says, labels, registry=self.registry)

        self.requests = counter("requests", "HTTP requests answered", "method", "status")
        self.refused = counter("refused", "requests refused before any work, by reason", "reason")
        self.sent_bytes = counter("sent_bytes", "bytes of assets put into answers")
        self.reads = counter("reads", "reads by where the bytes were: memory, disk", "source")
        self.corrupt = counter("corrupt", "reads that found an asset damaged or its bytes gone")
        self.stored = counter("stored", "puts by outcome: new, same, conflict, disk (it refused)", "outcome")
        self.stored_bytes = counter("stored_bytes", "bytes of new assets")
        self.put_seconds = Histogram(
            "assets_put_seconds", "until a put is durable", registry=self.registry, buckets=BUCKETS
        )
        self.partition_up = Gauge(
            "assets_partition_up", "1 while the partition is there, 0 while it is away", ["partition"], registry=self.registry
        )
        self.cached_bytes = Gauge("assets_cached_bytes", "bytes of assets held in memory", registry=self.registry)

    def text(self) -> bytes:
        """The Prometheus exposition."""
        return generate_latest(self.registry)
