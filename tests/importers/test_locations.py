"""Networks out of store locations: real places, codes of their own, mistakes in the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crossdock.catalog import rules
from crossdock.catalog.files import save_network
from crossdock.catalog.model import NodeKind
from crossdock.importers import Rejects, UnusableInput
from crossdock.importers.locations import Locations, read_locations
from crossdock.importers.networks import open_network
from crossdock.importers.text import Reading

HEADER = "brand,store_id,name,street,city,state,zip,latitude,longitude,geocode"
DENVER = "loom,7,Loom Denver,16th St,Denver,CO,80202,39.749,-104.995,store"
MIAMI = "loom,9,Loom Miami,Flagler,Miami,FL,33101,25.774,-80.194,store"
SAN_JUAN = "loom,11,,Calle Luna,San Juan,PR,00901,18.466,-66.118,store"


def read(tmp_path: Path, *rows: str, brand: str | None = "loom") -> tuple[Locations, Rejects]:
    path = tmp_path / "stores.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    rejects = Rejects()
    return read_locations(Reading(path, rejects), brand, 1), rejects


def test_each_store_is_a_node_at_its_place_in_its_time_zone(tmp_path: Path) -> None:
    found, rejects = read(tmp_path, DENVER, MIAMI, SAN_JUAN, DENVER.replace("loom", "other"))
    stores = [node for node in found.network.nodes if node.kind is NodeKind.STORE]
    assert [(node.code, node.time_zone) for node in stores] == [
        ("loom-7", "America/Denver"),
        ("loom-9", "America/New_York"),
        ("loom-11", "America/Puerto_Rico"),
    ]
    assert stores[2].name == "San Juan, PR"
    assert all(node.openings and node.cut_offs and node.cost_per_order for node in stores)
    assert len(found.network.nodes) == 5
    assert (found.lines_read, found.other_brands, len(rejects)) == (4, 1, 0)
    assert rules.problems_of(found.network) == []


def test_doubled_store_numbers_are_replaced_by_counting(tmp_path: Path) -> None:
    found, _ = read(tmp_path, DENVER, MIAMI.replace(",9,", ",7,"))
    assert [node.code for node in found.network.nodes[:2]] == ["loom-0001", "loom-0002"]


def test_a_broken_state_or_postal_code_is_taken_from_the_coordinates(tmp_path: Path) -> None:
    found, _ = read(tmp_path, "loom,1,,Street,Denver,ENVER,,39.749,-104.995,store")
    node = found.network.nodes[0]
    assert (node.administrative_area, node.postal_code) == ("CO", "80202")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (DENVER.replace("39.749", "high"), "unreadable_number"),
        (DENVER.replace("39.749", "nan"), "place_out_of_range"),
        (DENVER.replace("-104.995", "104.995"), "place_out_of_range"),
        ("loom,1,Loom", "wrong_column_count"),
    ],
)
def test_a_store_that_stands_nowhere_is_rejected(tmp_path: Path, row: str, reason: str) -> None:
    found, rejects = read(tmp_path, MIAMI, row)
    assert rejects.by_reason == {reason: 1}
    assert found.stores == 1


def test_a_brand_without_stores_is_refused_and_the_others_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match=r"loom \(2\)"):
        read(tmp_path, DENVER, MIAMI, brand="lantern")


def test_a_network_file_is_opened_with_its_stock_in_columns(tmp_path: Path) -> None:
    path = tmp_path / "network.toml"
    path.write_text(
        """
        [[zone]]
        code = "main"
        name = "Main"
        [[node]]
        code = "dc"
        name = "DC"
        country = "US"
        time_zone = "America/Denver"
        [[product]]
        sku = "MUG"
        name = "Mug"
        [[stock]]
        node = "dc"
        quantities = { MUG = 5 }
        """
    )
    known = open_network(path)
    assert [tuple(row) for row in known.stock.rows()] == [("dc", "MUG", 5)]
    assert known.network.stock == ()


@pytest.mark.parametrize("name", ["network.toml", None])
def test_a_brand_is_refused_where_there_are_no_store_locations(
    name: str | None, tmp_path: Path
) -> None:
    path = tmp_path / name if name else None
    if path is not None:
        path.write_text('[[zone]]\ncode = "us"\nname = "US"\n')
    with pytest.raises(UnusableInput, match="'macys'") as refused:
        open_network(path, brand="macys")
    assert "--brand" in refused.value.advice


def test_a_network_with_a_mistake_is_refused_and_the_mistake_is_named(tmp_path: Path) -> None:
    path = tmp_path / "network.toml"
    path.write_text('[[node]]\ncode = "dc"\nname = "DC"\ncountry = "US"\ntime_zone = "Mars/Base"\n')
    with pytest.raises(UnusableInput) as refused:
        open_network(path)
    assert "has one problem." in refused.value.problem
    assert "Mars/Base" in refused.value.advice
    with pytest.raises(UnusableInput, match="does not exist"):
        open_network(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    ("brand", "stores"),
    [("macys", 515), ("petsmart", 1_527), ("ulta", 1_411), ("home-depot", 2_002)],
)
def test_real_chains_make_whole_networks(
    shared_data: Callable[[str], Path], tmp_path: Path, brand: str, stores: int
) -> None:
    rejects = Rejects()
    path = shared_data("locations/us_store_locations.csv.gz")
    found = read_locations(Reading(path, rejects), brand, 1)
    assert (found.lines_read, found.stores, len(rejects)) == (102_517, stores, 0)
    assert rules.problems_of(found.network) == []
    save_network(tmp_path / "network.jsonl", found.network)
    assert open_network(tmp_path / "network.jsonl").network == found.network
