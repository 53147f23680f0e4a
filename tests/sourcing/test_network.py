"""The network: who is near, and what is no network."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.sourcing.errors import NetworkRefused
from crossdock.sourcing.model import NodeFacts
from crossdock.sourcing.network import Network
from tests.sourcing.world import PLACES, node

CITIES = Network(
    [
        node("boston", "boston"),
        node("chicago", "chicago"),
        node("la", "los-angeles", kind="dc"),
        node("ny", "new-york"),
    ]
)


def test_the_nearest_come_first_and_every_center_comes_along() -> None:
    assert CITIES.nearest(*PLACES["new-york"], 2) == ("ny", "boston", "la")


def test_without_a_place_every_node_is_near() -> None:
    assert CITIES.nearest(None, None, 1) == ("boston", "chicago", "la", "ny")


def test_many_places_are_looked_up_like_one() -> None:
    places: list[tuple[float | None, float | None]] = [*PLACES.values(), (None, None)]
    assert CITIES.nearest_many(places, 2) == [CITIES.nearest(*place, 2) for place in places]


def test_distances_are_great_circles() -> None:
    [row] = CITIES.distances([PLACES["new-york"]])
    assert [round(meters / 1000) for meters in row.tolist()] == [306, 1144, 3935, 0]


@settings(max_examples=50, deadline=None)
@given(st.floats(-90, 90), st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180))
def test_a_distance_does_not_depend_on_what_is_computed_with_it(
    latitude: float, longitude: float, other: float, far: float
) -> None:
    alone = CITIES.distances([(latitude, longitude)])[0]
    together = CITIES.distances([(other, far)] * 7 + [(latitude, longitude)])[7]
    assert alone.tolist() == together.tolist()


def test_a_part_of_a_network_keeps_order_and_facts() -> None:
    part = CITIES.subset(["ny", "boston", "atlantis"])
    assert part.codes == ["boston", "ny"]


def test_the_version_is_the_content() -> None:
    same = Network(reversed(CITIES.nodes))
    assert same.version == CITIES.version
    assert CITIES.subset(["ny"]).version != CITIES.version


@pytest.mark.parametrize(
    "facts",
    [
        {"latitude": 91.0},
        {"longitude": 181.0},
        {"hours": ((0, 1440),)},
        {"daily_capacity": -1},
        {"failed_pick_rate": 1.5},
        {"handling_unit_minor": -1},
        {"handling_line_minor": -1},
        {"cut_offs": {"*": (840,)}},
        {"time_zone": "Mars/Olympus"},
    ],
    ids=lambda facts: str(next(iter(facts))),
)
def test_a_node_that_contradicts_itself_is_refused_by_name(facts: dict[str, Any]) -> None:
    with pytest.raises(NetworkRefused, match="node soho"):
        Network([NodeFacts(**{"code": "soho", "latitude": 40.7, "longitude": -74.0, **facts})])


def test_two_nodes_of_one_code_are_refused() -> None:
    with pytest.raises(NetworkRefused, match="same code"):
        Network([node("soho"), node("soho", "boston")])
