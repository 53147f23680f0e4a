"""Policy files: read strictly, refused with file, key and remedy, known by their content."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from crossdock.sourcing.errors import PolicyNotFound, PolicyRefused
from crossdock.sourcing.policy import SourcingPolicy, decode_policy, encode_policy
from crossdock.sourcing.policy_files import (
    SHIPPED,
    load_policy,
    parse_policy,
    shipped_policy,
    shipped_policy_text,
)
from tests.sourcing.world import ROUND_FIGURES

BROKEN = {
    "an unknown key": ("name =", "nmae =", "nmae", "unknown key"),
    "a missing part": ('name = "round-figures"', "", "name", "missing"),
    "a word for a number": ("cost_minor = 100", 'cost_minor = "much"', "split.cost_minor", "int"),
    "a fraction of a cent": ("cost_minor = 100", "cost_minor = 1.5", "split.cost_minor", "int"),
    "a cost below zero": ("cost_minor = 100", "cost_minor = -1", "split.cost_minor", ">= 0"),
    "a split dearer than an open unit": (
        "cost_minor = 100",
        "cost_minor = 100_000_000_000_000_000",
        "split.cost_minor",
        "<= 1000000000",
    ),
    "a cost no machine holds": (
        "cost_minor = 100",
        "cost_minor = 99999999999999999999999",
        "split.cost_minor",
        "<= 1000000000",
    ),
    "no TOML": ("[[steps]]", "[[steps", "(syntax)", ""),
    "no step": ('[[steps]]\nname = "only"\nmax_nodes = 3', "steps = []", "steps", "none"),
    "two steps of a name": (
        "[split]",
        '[[steps]]\nname = "only"\n[split]',
        "steps[0].name",
        "twice",
    ),
    "an order without a node": ("max_nodes = 3", "max_nodes = 0", "steps[0].max_nodes", ">= 1"),
    "more nodes for a line than for the order": (
        "max_nodes = 3",
        "max_nodes = 1\nmax_nodes_per_line = 2",
        "steps[0].max_nodes_per_line",
        "more than max_nodes",
    ),
    "zones that fall": ("[100, 500, 2000]", "[500, 100, 2000]", "freight.zones_km", "rising"),
    "a row too few": (
        "    [1500, 2000, 3000, 4000],\n",
        "",
        "freight.services.standard.rates",
        "2 rows for 3 weights",
    ),
    "a zone too few in a row": (
        "[700, 900, 1200, 1600]",
        "[700, 900, 1200]",
        "freight.services.standard.rates[1]",
        "3 values for 4 zones",
    ),
    "a heavier parcel that is cheaper": (
        "[700, 900, 1200, 1600]",
        "[400, 900, 1200, 1600]",
        "freight.services.standard.rates",
        "cheaper with weight",
    ),
    "transit days for other zones": (
        "transit_days = [1, 2, 3, 5]",
        "transit_days = [1, 2]",
        "freight.services.standard.transit_days",
        "2 values for 4 zones",
    ),
    "a parcel that arrives before it leaves": (
        "transit_days = [1, 2, 3, 5]",
        "transit_days = [-1, 2, 3, 5]",
        "freight.services.standard.transit_days[0]",
        ">= 0",
    ),
    "a parcel abroad that arrives before it leaves": (
        "[[unfilled.rules]]",
        "abroad = { transit_days = -9, rates = [1, 2, 3] }\n[[unfilled.rules]]",
        "freight.services.standard.abroad.transit_days",
        ">= 0",
    ),
    "a method there is none of": (
        "[split]",
        "[methods.pikup]\nfreight = false\n[split]",
        "methods.pikup",
        "pickup",
    ),
    "an unknown key of a method": (
        "[split]",
        '[methods.pickup]\ncapabilty = "pickup"\n[split]',
        "methods.pickup.capabilty",
        "unknown key",
    ),
    "a barred service nobody offers": (
        "[split]",
        '[dangerous_goods]\nbarred_services = ["expres"]\n[split]',
        "dangerous_goods.barred_services[0]",
        "expres",
    ),
    "a barred method there is none of": (
        "[split]",
        '[dangerous_goods]\nbarred_methods = ["shipp"]\n[split]',
        "dangerous_goods.barred_methods[0]",
        "ship",
    ),
    "a kind of node there is none of": (
        "[split]",
        "[distance_km]\nshop = 2500\n[split]",
        "distance_km.shop",
        "shop",
    ),
    "a country in small letters": (
        "[freight.services.standard]",
        '[freight.surcharges]\nremote_postal_codes = { us = ["967"] }\n[freight.services.standard]',
        "freight.surcharges.remote_postal_codes.us",
        "A-Z",
    ),
    "a day of a week for a day of a month": (
        "[freight.services.standard]",
        '[[freight.surcharges.peaks]]\nfirst_day = "W01-2"\nlast_day = "12-24"\nminor = 5\n'
        "[freight.services.standard]",
        "freight.surcharges.peaks[0].first_day",
        "W01-2",
    ),
    "a markdown of more than the price": (
        "[split]",
        "[cost.markdown]\npercent = 4000\n[split]",
        "cost.markdown.percent",
        "<= 100",
    ),
    "a default service nobody offers": (
        "[freight]",
        '[freight]\ndefault_service = "rocket"',
        "freight.default_service",
        "rocket",
    ),
    "an outcome nobody knows": (
        'outcome = "backorder"',
        'outcome = "shrug"',
        "unfilled.rules[0].outcome",
        "shrug",
    ),
    "no rule for the rest": (
        'outcome = "backorder"',
        'reasons = ["no_stock"]\noutcome = "backorder"',
        "unfilled.rules",
        "no rule for all other reasons",
    ),
    "a currency that is none": ('"USD"', '"Dollar"', "currency", "ISO 4217"),
    "a currency there is none of": ('"USD"', '"QQQ"', "currency", "ISO 4217"),
    "a name with blanks": ('"round-figures"', '"Round Figures"', "name", "Round Figures"),
}


@pytest.mark.parametrize(("good", "bad", "key", "problem"), BROKEN.values(), ids=[*BROKEN.keys()])
def test_a_policy_is_refused_for(good: str, bad: str, key: str, problem: str) -> None:
    assert good in ROUND_FIGURES
    with pytest.raises(PolicyRefused) as refused:
        parse_policy(ROUND_FIGURES.replace(good, bad, 1), "our-policy.toml")
    error = refused.value
    assert error.source == "our-policy.toml"
    assert error.key == key
    assert problem in str(error)
    assert error.remedy


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_policies_load(name: str) -> None:
    assert shipped_policy(name).name == name


def test_the_shipped_policies_differ() -> None:
    assert len({shipped_policy(name).version for name in SHIPPED}) == len(SHIPPED)


def test_comments_and_order_do_not_make_another_version() -> None:
    text = shipped_policy_text("default")
    bare = "\n".join(
        line for line in text.splitlines() if line.strip() and not line.startswith("#")
    )
    assert parse_policy(bare, "bare.toml").version == shipped_policy("default").version


def test_a_figure_makes_another_version() -> None:
    changed = ROUND_FIGURES.replace("cost_minor = 100", "cost_minor = 101")
    assert parse_policy(changed, "a").version != parse_policy(ROUND_FIGURES, "b").version


def test_a_stored_policy_comes_back_as_it_was() -> None:
    for name in SHIPPED:
        stored = shipped_policy(name)
        again = decode_policy(encode_policy(stored))
        assert (again, again.version) == (stored, stored.version)


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "ours.toml"
    file.write_text(ROUND_FIGURES)
    assert load_policy(file).name == "round-figures"


def test_a_file_that_is_not_there_says_which_policies_are(tmp_path: Path) -> None:
    with pytest.raises(PolicyNotFound, match="fewest-splits"):
        load_policy(tmp_path / "gone.toml")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ours.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyRefused, match="UTF-8"):
        load_policy(file)


def test_no_policy_of_that_name_is_shipped() -> None:
    with pytest.raises(PolicyNotFound, match="margin-aware"):
        shipped_policy("cheapest")


def test_every_figure_has_a_least_and_a_most() -> None:
    schema = json.dumps(msgspec.json.schema(SourcingPolicy))
    figures = re.findall(r'\{[^{}]*"type": "(?:integer|number)"[^{}]*\}', schema)
    assert len(figures) > 50
    assert not [one for one in figures if '"minimum"' not in one or '"maximum"' not in one]


def test_the_reference_explains_every_key() -> None:
    reference = Path(__file__).parents[2] / "docs" / "reference" / "sourcing-policy.md"
    told = set(re.findall(r"`([a-z_0-9]+)`", reference.read_text()))
    tables = {"steps", "freight", "cost", "split", "lanes", "margin", "search", "record"}
    tables |= {"candidates", "methods", "calendar", "dangerous_goods", "unfilled", "rules"}
    tables |= {"handling", "markdown", "stockout", "lateness"}
    missing = {name for name in _keys(SourcingPolicy) if name not in told | tables}
    assert not missing


def _keys(part: type[msgspec.Struct]) -> set[str]:
    found = set()
    for field in msgspec.structs.fields(part):
        found.add(field.name)
        for inner in _structs(field.type):
            found |= _keys(inner)
    return found


def _structs(annotation: object) -> list[type[msgspec.Struct]]:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return [annotation]
    return [found for one in get_args(annotation) for found in _structs(one)]
