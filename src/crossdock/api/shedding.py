"""Who is refused first when there is too much: intake and ATS live longest.

Each request counts against its own tier and those that outlive it, so that reports cannot crowd
out the work of nodes, nor the two together the intake. And where the oldest waiting message is too
old, the intake itself closes until workers have caught up: an order that waits for an hour behind
others is better kept by its channel, which tries again.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from litestar.types import HTTPScope

from crossdock.api.figures import ApiFigures
from crossdock.api.problems import ApiProblem, problem_type
from crossdock.settings import LimitsSettings

OVERLOADED = problem_type(
    "overloaded",
    503,
    "Too many requests are under way",
    cause="The API has as many requests of this kind under way as it takes at once.",
    remedy="Send the same request again after the seconds in the Retry-After header.",
)
INTAKE_CLOSED = problem_type(
    "intake_closed",
    503,
    "No orders are taken for a moment",
    cause="Orders taken earlier still wait to be worked on, longer than the limit allows.",
    remedy="Keep the order and send it again after the seconds in the Retry-After header.",
)

TIERS = ("first", "others", "last")
"""In the order in which they are shed; a handler's `opt={"shed": …}` names one, else others."""


class Shedding:
    """Counts what is under way in one process."""

    def __init__(self, limits: LimitsSettings, figures: ApiFigures) -> None:
        self.limits = limits
        self.figures = figures
        self.oldest_waiting_seconds: float | None = None
        """As the watch saw it last; None while the database cannot be asked."""
        self.in_flight = dict.fromkeys(TIERS, 0)
        for tier in TIERS:
            figures.in_flight(tier, partial(self.in_flight.__getitem__, tier))

    @property
    def intake_is_closed(self) -> bool:
        """Whether what waits has waited for too long."""
        oldest = self.oldest_waiting_seconds
        return oldest is not None and oldest > self.limits.oldest_waiting_seconds

    def admit(self, scope: HTTPScope, opt: dict[str, Any]) -> None:
        """Count a request until `leave`. Raises ApiProblem 503 with Retry-After."""
        if opt.get("intake") and self.intake_is_closed:
            waits = f"The oldest order has waited for {self.oldest_waiting_seconds:,.0f} s."
            raise self._refused(INTAKE_CLOSED, "intake_closed", waits)
        tier = opt.get("shed", "others")
        counts, limits = self.in_flight, self.limits
        reports = counts["first"]
        others = reports + counts["others"]
        full = (
            others + counts["last"] >= limits.requests_in_flight
            or (tier != "last" and others >= limits.others_in_flight)
            or (tier == "first" and reports >= limits.reports_in_flight)
        )
        if full:
            raise self._refused(OVERLOADED, f"overloaded_{tier}", "")
        counts[tier] += 1
        scope["state"]["shedding_tier"] = tier

    def leave(self, scope: HTTPScope) -> None:
        """A request is over, admitted or not."""
        tier = scope["state"].pop("shedding_tier", None)
        if tier is not None:
            self.in_flight[tier] -= 1

    def _refused(self, kind: Any, reason: str, detail: str) -> ApiProblem:
        self.figures.refused(reason)
        wait = str(self.limits.retry_after_seconds)
        return ApiProblem(kind, detail, headers={"Retry-After": wait})
