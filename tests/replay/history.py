"""Recorded histories: what each process was told, and what it answered, one JSON line each.

    python -m tests.replay.history        records them anew, after a change that is meant

A change that is not meant shows as a difference in what `test_replay` compares. A change of a
process that keeps its version must not change what running instances do.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from crossdock import db, postgres
from crossdock.engine.capability import Delivery
from crossdock.engine.process import Effect, Process, Send, State
from crossdock.kernel.messages import Message, registered
from crossdock.processes.checkout import checkout
from crossdock.processes.fulfillment import fulfillment
from crossdock.processes.order_to_fulfillment import order_to_fulfillment
from tests.integration.orders.shop import Shop
from tests.replay.scenarios import SCENARIOS

FOLDER = Path(__file__).parent / "histories"
PROCESSES: dict[str, Process[Any]] = {
    p.name: p for p in (order_to_fulfillment, fulfillment, checkout)
}


class Step(msgspec.Struct, kw_only=True):
    """One message handled by one instance."""

    process: str
    version: int
    instance: str
    stage: str
    """After the message."""
    now: datetime
    type: str
    message: Any
    outputs: list[Any]


class History:
    """A recorder for the runner; ids are recorded as they are, since they are derived."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def __call__(
        self, delivery: Delivery, before: str, state: State, now: datetime, outputs: Sequence[Any]
    ) -> None:
        name = delivery.to.process
        self.steps.append(
            Step(
                process=name,
                version=PROCESSES[name].version,
                instance=delivery.to.instance,
                stage=state.stage,
                now=now,
                type=delivery.message.message_type,
                message=plain(delivery.message),
                outputs=[told(output) for output in outputs],
            )
        )

    def save(self, path: Path) -> None:
        """One step a line, keys in order, so that changes read well."""
        lines = [json.dumps(msgspec.to_builtins(step), sort_keys=True) for step in self.steps]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def load(path: Path) -> list[Step]:
    """The steps of a recorded history."""
    decode = msgspec.json.Decoder(Step).decode
    return [decode(line) for line in path.read_text(encoding="utf-8").splitlines()]


def replay(steps: Sequence[Step]) -> Iterator[tuple[Step, str, list[Any]]]:
    """Tell fresh instances the same again; yields each step with the stage and outputs of now."""
    states: dict[str, Any] = {}
    classes = registered()
    for step in steps:
        process = PROCESSES[step.process]
        message: Message = msgspec.convert(step.message, classes[step.type], strict=False)
        state = states.get(step.instance)
        if state is None:
            state = process.state.opened(step.instance, message, step.now)
            state.stage = state.stage or process.stages[0]
            handler = process.starters[type(message)]
        else:  # As it is between two batches: stored and loaded.
            state = process.load(process.version, process.encode(state))
            handler = process.handlers[type(message), state.stage]
        outputs = list(handler(state, message, step.now) or ())
        states[step.instance] = state
        yield step, state.stage, [told(output) for output in outputs]


def told(output: Any) -> Any:
    """An output by its kind and content, as plain data."""
    kind = type(output).__name__
    if isinstance(output, Send):
        return [kind, *output.to, output.message.message_type, whole(output.message)]
    if isinstance(output, Effect):
        about = [output.connector, output.operation, output.order_key, output.key]
        return [kind, *about, whole(output.payload)]
    return [kind, whole(output)]


def plain(struct: Any) -> Any:
    """As JSON has it."""
    return json.loads(msgspec.json.encode(struct))


def whole(value: Any) -> Any:
    """Plain data with every field: what is left out as a default may differ for equal values."""
    if isinstance(value, msgspec.Struct):
        return {name: whole(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple | list):
        return [whole(one) for one in value]
    return plain(value)


def record() -> None:
    """Run every scenario with the real engine on a server of its own and save what happened."""
    FOLDER.mkdir(exist_ok=True)
    with postgres.serve(ephemeral=True, durable=False) as server:
        for name, scenario in SCENARIOS.items():
            with contextlib.closing(db.connect(server.url)) as connection:
                connection.execute("DROP SCHEMA public CASCADE")
                connection.execute("CREATE SCHEMA public")
                connection.commit()
                db.migrate(connection)
                history = History()
                scenario(Shop(connection, history))
                history.save(FOLDER / f"{name}.jsonl")


if __name__ == "__main__":
    record()
