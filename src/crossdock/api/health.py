"""`/health`: this process answers. `/ready`: it can also work; a load balancer asks for that."""

from __future__ import annotations

import msgspec
from litestar import Router, get
from litestar.datastructures import State

from crossdock import __version__
from crossdock.api.documents import answers
from crossdock.api.problems import ApiProblem, problem_type
from crossdock.api.shedding import Shedding
from crossdock.api.watch import Watch

NOT_READY = problem_type(
    "not_ready",
    503,
    "This process cannot work right now",
    cause="The database does not answer, or its schema is not the one this version needs.",
    remedy="Send requests to another API process; `detail` says what is wrong with this one.",
)


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """This process answers."""

    status: str
    version: str


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """This process can work."""

    status: str
    intake: str
    """open, or closed while the oldest waiting message is too old: other requests are served."""
    oldest_waiting_seconds: float


@get(
    "/health",
    opt={
        "public": True,
        "shed": "last",
        "answer_example": {"status": "ok", "version": __version__},
    },
    sync_to_thread=False,
)
def health() -> Health:
    """Whether this process answers. It asks nobody else."""
    return Health(status="ok", version=__version__)


@get(
    "/ready",
    opt={
        "public": True,
        "shed": "last",
        "answer_example": {"status": "ready", "intake": "open", "oldest_waiting_seconds": 0.2},
    },
    responses=answers(NOT_READY),
    sync_to_thread=False,
)
def ready(state: State) -> Readiness:
    """Whether this process can serve requests: its database answers and has the right schema."""
    watch: Watch = state.operations.watch
    shedding: Shedding = state.operations.shedding
    trouble = watch.seen.trouble()
    if trouble:
        raise ApiProblem(NOT_READY, trouble, headers={"Retry-After": "5"})
    return Readiness(
        status="ready",
        intake="closed" if shedding.intake_is_closed else "open",
        oldest_waiting_seconds=round(shedding.oldest_waiting_seconds or 0.0, 3),
    )


router = Router("/", route_handlers=[health, ready], tags=["operations"])
