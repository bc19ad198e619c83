"""Metrics for Prometheus: requests, seconds, digits and open jobs."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from inkdigits.server.worker_pool import WorkerPool

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)  # seconds
METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"}
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The metrics of one service."""

    def __init__(self, pools: list[WorkerPool], model: str, version: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "inkdigits_requests", "Requests answered.", ["route", "method", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "inkdigits_request_seconds",
            "Time until the response is complete.",
            ["route"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._digits = Counter("inkdigits_digits", "Digits answered, by outcome.", ["outcome"], registry=self.registry)
        open_jobs = Gauge("inkdigits_open_jobs", "Jobs that wait or run.", ["pool"], registry=self.registry)
        for pool in pools:
            open_jobs.labels(pool.name).set_function(pool.count)
        info = Gauge("inkdigits_model", "The model in use.", ["name", "version"], registry=self.registry)
        info.labels(model, version).set(1)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, method if method in METHODS else "other", str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def digits(self, outcome: str) -> None:
        """Count a digit: its outcome is ``read`` or the reason of its rejection."""
        self._digits.labels(outcome).inc()

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return bytes(generate_latest(self.registry))
