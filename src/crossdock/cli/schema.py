"""`crossdock schema`: what Crossdock publishes, for those who build against it."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from pathlib import Path
from typing import Annotated

import msgspec
import typer

import crossdock
from crossdock.catalog import model as catalog
from crossdock.cli.context import output
from crossdock.kernel.errors import SettingRefused
from crossdock.kernel.messages import Message, registered
from crossdock.model import effects, fulfillment, outside, parties, stock, work
from crossdock.model.dictionary import dictionary
from crossdock.model.envelope import Envelope
from crossdock.model.orders import SalesOrder
from crossdock.model.problems import Problem
from crossdock.model.schemas import Published, schema_of

# All objects are in their first version; a second gets a name of its own beside it.
_OBJECTS: dict[str, tuple[type[msgspec.Struct], ...]] = {
    "the border": (Envelope, Problem),
    "sales channels": (outside.OutsideOrder, outside.OutsideCancel, SalesOrder),
    "customers": (parties.Party, parties.Address, parties.ExternalRef),
    "retail operations": (
        fulfillment.LineUnits,
        fulfillment.LineMoney,
        fulfillment.Promise,
        fulfillment.FulfillmentOrder,
        fulfillment.Shipment,
        fulfillment.Cancellation,
        fulfillment.ReturnClaim,
        work.Hold,
        work.Task,
        work.Case,
    ),
    "inventory": (stock.StockLevel, stock.Supply, stock.Reservation, stock.LedgerMove),
    "connectors": (
        effects.PaymentRequest,
        effects.InterceptRequest,
        effects.Document,
        effects.Notice,
    ),
    "master data": (
        catalog.LegalEntity,
        catalog.Brand,
        catalog.Region,
        catalog.Zone,
        catalog.Node,
        catalog.NodeGroup,
        catalog.HierarchyLink,
        catalog.ScopeSwitch,
        catalog.Product,
        catalog.NodeProduct,
        catalog.Channel,
        catalog.Listing,
        catalog.NodeStock,
    ),
}

# Who sends what comes from outside; the rest is said by the part of Crossdock that declares it.
_SENDERS = {
    "order": "sales channels",
    "checkout": "sales channels",
    "fulfillment": "nodes",
    "shipment": "carriers",
    "inventory": "stock sources",
    "payment": "payment provider",
    "document": "ERP",
    "customer": "notification service",
}


def register(app: typer.Typer) -> None:
    """Adds `schema export` and `schema dictionary`."""
    commands = typer.Typer(no_args_is_help=True, help="What Crossdock publishes: JSON Schemas.")
    commands.command("export")(export)
    commands.command("dictionary")(write_dictionary)
    app.add_typer(commands, name="schema")


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Made if it is not there.")],
) -> None:
    """Write a JSON Schema for each object and message type, and the data dictionary, into DIR."""
    everything = published()
    try:
        for one in everything:
            file = folder / _folder_of(one) / f"{one.name}.schema.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(schema_of(one), indent=2, ensure_ascii=False) + "\n")
        (folder / "data-dictionary.md").write_text(dictionary(everything))
        (folder / "index.json").write_text(json.dumps(_index(everything), indent=2) + "\n")
    except OSError as error:
        raise _cannot_write(folder, error) from error
    messages = sum(one.is_message for one in everything)
    output.print(
        f"{len(everything) - messages} objects and {messages} message types are in {folder}.",
        markup=False,
    )


def write_dictionary(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A Markdown file; replaced.")],
) -> None:
    """Write the data dictionary alone."""
    try:
        file.write_text(dictionary(published()))
    except OSError as error:
        raise _cannot_write(file, error) from error


def published() -> tuple[Published, ...]:
    """Every object, in the order of the list above, and every message type, by name."""
    _import_messages()
    objects = [
        Published(name=f"crossdock.{_snake(kind.__name__)}.v1", kind=kind, owner=owner)
        for owner, kinds in _OBJECTS.items()
        for kind in kinds
    ]
    messages = [
        Published(name=name, kind=kind, owner=_owner_of(name, kind))
        for name, kind in registered().items()
        # A retailer's own types, and those of tests, are not ours to publish.
        if kind.__module__.startswith("crossdock.")
    ]
    return (*objects, *messages)


def _import_messages() -> None:
    """A message type is known once its module is imported; they are declared in these only."""
    for module in pkgutil.walk_packages(crossdock.__path__, "crossdock."):
        if module.name.rpartition(".")[2] in ("model", "messages", "effects"):
            importlib.import_module(module.name)


def _owner_of(name: str, kind: type[Message]) -> str:
    package = kind.__module__.split(".")[1]
    return _SENDERS[name.split(".")[1]] if package == "model" else package


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _folder_of(one: Published) -> str:
    return "messages" if one.is_message else "objects"


def _index(everything: tuple[Published, ...]) -> list[dict[str, str]]:
    return [
        {
            "name": one.name,
            "owner": one.owner,
            "description": one.description,
            "schema": f"{_folder_of(one)}/{one.name}.schema.json",
        }
        for one in everything
    ]


def _cannot_write(path: Path, error: OSError) -> SettingRefused:
    return SettingRefused(
        f"{path} cannot be written: {error.strerror or error}",
        advice="Name a place you may write to.",
    )
