"""The commands about files: validate orders, start a folder, make networks."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from crossdock.catalog.files import load_network
from crossdock.cli.main import app
from crossdock.importers import Rejects, open_dataset
from crossdock.importers.networks import open_network
from crossdock.ordering.policy import load_order_policies
from crossdock.settings import load_settings
from crossdock.sourcing.policy_files import load_policy
from tests.importers.outside_orders import cancel, order, write

pytestmark = pytest.mark.slow

TAKEN, FOUND_SOMETHING, UNUSABLE = 0, 1, 2


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_file_without_mistakes_ends_with_0(tmp_path: Path) -> None:
    path = write(tmp_path / "orders.jsonl", order(), cancel())
    done = run("orders", "validate", path)
    assert done.exit_code == TAKEN, done.output
    assert "1 orders" in done.output
    assert "Every row is taken" in done.output


def test_rejected_rows_are_told_written_to_a_file_and_end_with_1(tmp_path: Path) -> None:
    path = write(tmp_path / "orders.jsonl", order(), order(), "nonsense [red]")
    rejects = tmp_path / "rejects.jsonl"
    done = run("orders", "validate", path, "--rejects", rejects)
    assert done.exit_code == FOUND_SOMETHING
    assert "doubled_order_number" in done.output and "not_json" in done.output
    entries = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [(entry["line"], entry["reason"]) for entry in entries] == [
        (2, "doubled_order_number"),
        (3, "not_json"),
    ]
    assert all(entry["remedy"] and entry["raw"] and entry["file"] for entry in entries)


def test_json_says_what_became_of_every_row(tmp_path: Path) -> None:
    path = write(tmp_path / "orders.jsonl", order(), order(), "nonsense")
    done = run("orders", "validate", path, "--json")
    told = json.loads(done.stdout)
    assert told["report"]["lines_read"] == 3
    assert told["report"]["taken"] == {"order": 1}
    assert told["reasons"] == {"doubled_order_number": 1, "not_json": 1}
    assert done.exit_code == FOUND_SOMETHING


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04", b"who,knows\n1,2\n"])
def test_a_file_that_cannot_be_used_ends_with_2_and_no_traceback(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "orders.csv"
    if content is not None:
        path.write_bytes(content)
    done = run("orders", "validate", path)
    assert done.exit_code == UNUSABLE
    assert "Traceback" not in done.output
    assert isinstance(done.exception, SystemExit)


def test_a_new_folder_is_valid_in_all_its_parts(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    assert run("init", folder).exit_code == 0
    assert load_network(folder).problems == ()
    assert load_policy(folder / "policies" / "sourcing.toml").name == "default"
    assert load_order_policies(folder / "policies" / "orders.toml") == load_order_policies()
    load_settings(folder / "crossdock.toml")
    rejects = Rejects()
    dataset = open_dataset(folder, known=open_network(folder), rejects=rejects)
    assert (len(rejects), dataset.report.orders, dataset.report.cancels) == (0, 50, 3)
    checked = run("orders", "validate", folder / "orders.jsonl", "--network", folder)
    assert checked.exit_code == TAKEN, checked.output
    assert (folder / "README.md").is_file()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_an_empty_folder_is_filled_and_a_used_one_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    assert run("init", folder).exit_code == 0
    (folder / "network" / "nodes.toml").write_text("mine now")
    done = run("init", folder)
    assert done.exit_code == UNUSABLE
    assert "not empty" in done.output
    assert (folder / "network" / "nodes.toml").read_text() == "mine now"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_file_is_no_folder_to_start_in(tmp_path: Path) -> None:
    path = tmp_path / "mine"
    path.write_text("a letter")
    assert run("init", path).exit_code == UNUSABLE
    assert path.read_text() == "a letter"


def test_an_unknown_sku_of_the_folders_network_is_found(tmp_path: Path) -> None:
    run("init", tmp_path / "mine")
    path = write(tmp_path / "orders.jsonl", order(), order("X", lines=[]))
    done = run("orders", "validate", path, "--network", tmp_path / "mine")
    assert done.exit_code == FOUND_SOMETHING
    assert "no_lines" in done.output


def test_a_network_is_made_from_locations_and_orders_are_checked_against_it(
    tmp_path: Path,
) -> None:
    stores = tmp_path / "stores.csv"
    stores.write_text(
        "brand,store_id,name,city,state,zip,latitude,longitude\n"
        "loom,7,Loom,Denver,CO,80202,39.749,-104.995\n"
        "loom,8,Loom,Nowhere,CO,80202,north,west\n"
    )
    out = tmp_path / "network.jsonl"
    done = run("network", "from-locations", stores, "--brand", "loom", "--out", out)
    assert done.exit_code == FOUND_SOMETHING
    assert "1 stores of loom" in done.output
    path = write(tmp_path / "orders.jsonl", order())
    assert run("orders", "validate", path, "--network", out).exit_code == TAKEN
    assert (
        run("orders", "validate", path, "--network", stores, "--brand", "loom").exit_code
        == FOUND_SOMETHING
    )


@pytest.mark.parametrize("out", ["network.csv", "nowhere/network.jsonl"])
def test_a_name_no_network_can_have_is_refused_before_anything_is_read(
    tmp_path: Path, out: str
) -> None:
    done = run("network", "from-locations", "x.csv", "--brand", "loom", "--out", tmp_path / out)
    assert done.exit_code == UNUSABLE


def test_a_made_up_retailer_is_written_as_files_that_are_taken_whole(tmp_path: Path) -> None:
    folder = tmp_path / "made-up"
    size = ("--orders", 50, "--stores", 5, "--skus", 200)
    assert run("network", "made-up", folder, *size).exit_code == 0
    done = run("orders", "validate", folder / "orders.jsonl", "--network", folder / "network.jsonl")
    assert done.exit_code == TAKEN, done.output
    again = run("network", "made-up", folder, *size)
    assert again.exit_code == UNUSABLE
    assert "already" in again.output


def test_a_rejects_file_that_cannot_be_written_is_told_and_not_a_traceback(tmp_path: Path) -> None:
    path = write(tmp_path / "orders.jsonl", order(), "nonsense")
    done = run("orders", "validate", path, "--rejects", tmp_path / "nowhere" / "rejects.jsonl")
    assert done.exit_code == UNUSABLE
    assert "rejects file" in done.output
