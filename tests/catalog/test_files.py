"""A network is read from files that people and systems write, and what is wrong is named."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from crossdock.catalog.errors import NetworkUnreadable
from crossdock.catalog.files import load_network, network_files, save_network
from crossdock.catalog.model import Node, NodeStock
from tests.catalog.records import RETAILER

TOML = """
[[zone]]
code = "east"
name = "East"

[[node]]
code = "S014"
name = "Oak Street"
allocation_zone = "east"
country = "US"
time_zone = "America/New_York"
openings = [{ weekday = 1, opens = 09:00:00, closes = 19:00:00 }]
cut_offs = [{ service = "standard", at = "15:30:00" }]
"""


@pytest.mark.parametrize("name", ["network.jsonl", "network.jsonl.gz", "network.ndjson"])
def test_a_written_network_reads_back_as_it_was(tmp_path: Path, name: str) -> None:
    save_network(tmp_path / name, RETAILER)

    read = load_network(tmp_path / name)

    assert read.problems == ()
    assert read.network == RETAILER


def test_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        save_network(tmp_path / name, RETAILER)

    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


def test_a_folder_is_read_whole_tables_beside_lines(tmp_path: Path) -> None:
    (tmp_path / "nodes.toml").write_text(TOML)
    (tmp_path / "products.jsonl").write_text(
        '{"record": "product", "sku": "LAMP", "name": "Lamp"}\n\n'
        '{"record": "stock", "node": "S014", "quantities": {"LAMP": 3}}\n'
    )
    (tmp_path / "README.md").write_text("not a network file")

    read = load_network(tmp_path)

    assert read.problems == ()
    (node,) = read.network.nodes
    assert isinstance(node, Node)
    assert str(node.openings[0].closes) == "19:00:00"
    assert str(node.cut_offs[0].at) == "15:30:00"
    assert [product.sku for product in read.network.products] == ["LAMP"]
    assert read.network.stock == (NodeStock(node="S014", quantities={"LAMP": 3}),)


def test_a_configuration_folder_is_read_from_its_network_folder(tmp_path: Path) -> None:
    (tmp_path / "crossdock.toml").write_text("[database]")
    (tmp_path / "network").mkdir()
    (tmp_path / "network" / "nodes.json").write_text(
        json.dumps({"zone": [{"code": "east", "name": "East"}]})
    )

    assert [file.name for file in network_files(tmp_path)] == ["nodes.json"]
    assert [zone.code for zone in load_network(tmp_path).network.zones] == ["east"]


def test_a_line_that_cannot_be_taken_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    file = tmp_path / "products.jsonl"
    file.write_bytes(
        b'\xef\xbb\xbf{"record": "product", "sku": "LAMP", "name": "Lamp"}\r\n'
        b'{"record": "product", "sku": 7, "weight_grams": "heavy"}\n'
        b'{"record": "produkt"}\n'
        b'{"record": "product", "sku": "B", "name": "B", "wieght_grams": 1}\n'
        b'{"record": "product", "name": "caf\xe9"}\n'
        b"\x00\n"
        b'{"record": "product", "sku": "BULB", "name": "Bulb"}'
    )

    read = load_network(file)

    assert [product.sku for product in read.network.products] == ["LAMP", "BULB"]
    assert [(p.line, p.problem.path, p.problem.code) for p in read.problems] == [
        (2, "sku", "wrong_type"),
        (2, "name", "missing"),
        (2, "weight_grams", "wrong_type"),
        (3, "record", "unknown_record"),
        (4, "wieght_grams", "unknown_field"),
        (5, "", "not_utf8"),
        (6, "", "not_json"),
    ]
    assert str(read.problems[0]).startswith("products.jsonl:2: sku: Expected `str`, got `int`.")


def test_a_table_that_cannot_be_taken_is_named_by_its_place(tmp_path: Path) -> None:
    file = tmp_path / "nodes.toml"
    file.write_text(TOML + '[[node]]\ncode = "S015"\nlatitude = "north"\n\n[[nodes]]\ncode = 1\n')

    read = load_network(file)

    assert [(p.problem.path, p.problem.code) for p in read.problems] == [
        ("node[1].name", "missing"),
        ("node[1].country", "missing"),
        ("node[1].latitude", "wrong_type"),
        ("node[1].time_zone", "missing"),
        ("record", "unknown_record"),
    ]
    assert [node.code for node in read.network.nodes] == ["S014"]


def test_records_that_contradict_each_other_are_named(tmp_path: Path) -> None:
    file = tmp_path / "nodes.toml"
    file.write_text(TOML.replace('allocation_zone = "east"', 'allocation_zone = "moon"'))

    assert [(p.file, p.problem.path) for p in load_network(file).problems] == [
        ("nodes.toml", "node S014.allocation_zone")
    ]


def test_a_network_that_names_no_zone_has_one(tmp_path: Path) -> None:
    file = tmp_path / "nodes.json"
    node = {"code": "S1", "name": "Oak", "country": "US", "time_zone": "UTC"}
    file.write_text(json.dumps({"node": [node]}))

    read = load_network(file)

    assert read.problems == ()
    assert [zone.code for zone in read.network.zones] == [read.network.nodes[0].allocation_zone]


@pytest.mark.parametrize("name", ["broken.toml", "broken.json"])
def test_a_file_broken_as_a_whole_is_one_problem(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("[[node")

    (problem,) = load_network(tmp_path / name).problems

    assert problem.problem.code == "unreadable"


@pytest.mark.parametrize("second", ['[[node]]\ncode = "S015"\nlatitude = "north"\n', "[[node"])
def test_what_refers_to_a_record_that_cannot_be_read_is_no_second_problem(
    second: str, tmp_path: Path
) -> None:
    (tmp_path / "stock.toml").write_text('[[stock]]\nnode = "S015"\nquantities = {}\n')
    (tmp_path / "nodes.toml").write_text(TOML)
    whole = [problem.problem.path for problem in load_network(tmp_path).problems]

    (tmp_path / "second.toml").write_text(second)
    files = {problem.file for problem in load_network(tmp_path).problems}

    assert whole == ["stock of S015.node"]
    assert files == {"second.toml"}


def test_a_truncated_archive_is_a_fault_with_advice(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"record": "zone", "code": "east", "name": "East"}\n' * 100)
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[:-20])

    with pytest.raises(NetworkUnreadable, match=r"cut\.jsonl\.gz"):
        load_network(tmp_path / "cut.jsonl.gz")


@pytest.mark.parametrize("name", ["absent.toml", "picture.png", "empty"])
def test_what_is_no_network_at_all_is_a_fault_with_advice(tmp_path: Path, name: str) -> None:
    (tmp_path / "picture.png").write_bytes(b"")
    (tmp_path / "empty").mkdir()

    with pytest.raises(NetworkUnreadable) as fault:
        load_network(tmp_path / name)

    assert fault.value.advice
