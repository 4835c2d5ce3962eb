"""Two questions to a process, apart: should it be killed (does its hub turn), and should it be asked (can it work).

A database that is away makes Backbone unready, not dead: presence is in memory and goes on being served.
"""

from __future__ import annotations

import logging
from typing import Any

import falcon

from backbone.http.kit import Call, Resource, operation, resource
from backbone.http.schemas import record, text
from ground import green

log = logging.getLogger(__name__)

RETRY_SECONDS = 5
READY_SECONDS = 2.0  # a database slower than this can't be worked with
STATUS = record("Status", {"status": text(20)})


@resource("/health/live", "service")
class Live(Resource):
    @operation("Whether the process turns at all; asks nobody else", answer=STATUS, public=True, cache="no-cache")
    def on_get(self, call: Call) -> Any:
        return {"status": "ok"}


@resource("/health/ready", "service")
class Ready(Resource):
    @operation(
        "Whether the service can work now: it has just read its database",
        answer=STATUS,
        public=True,
        cache="no-cache",
        errors={503: "its database does not answer"},
    )
    def on_get(self, call: Call) -> Any:
        try:
            with green.Timeout(READY_SECONDS):
                self.services.check_database()
        except (green.Timeout, Exception) as error:
            log.warning("not ready: the database does not answer (%s)", error)
            raise falcon.HTTPServiceUnavailable(
                title="not ready", description="the database does not answer", retry_after=RETRY_SECONDS
            ) from error
        return {"status": "ok"}


RESOURCES: list[type[Resource]] = [Live, Ready]
