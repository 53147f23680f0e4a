"""Files as they come: damaged, cut, encoded in something else. A bad line costs that line alone."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.importers import Rejects, UnusableInput
from crossdock.importers.rejects import REMEDIES, Reason
from crossdock.importers.text import MAXIMUM_LINE_BYTES, MAXIMUM_ROW_LINES, Reading

HEADER = b"sku,name,quantity\n"


def read_lines(path: Path, content: bytes) -> tuple[list[str], Rejects, Reading]:
    path.write_bytes(content)
    rejects = Rejects()
    reading = Reading(path, rejects)
    return [line.text for line in reading.lines()], rejects, reading


def read_rows(path: Path, content: bytes) -> tuple[list[list[str]], Rejects, Reading]:
    path.write_bytes(content)
    rejects = Rejects()
    reading = Reading(path, rejects)
    rows = [row.fields for row in reading.rows()]
    return rows[1:], rejects, reading


def test_every_reason_has_a_remedy() -> None:
    assert set(REMEDIES) == set(Reason)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_byte_order_mark_and_either_line_end_are_no_part_of_the_text(
    tmp_path: Path, end: bytes
) -> None:
    content = b"\xef\xbb\xbf" + end.join([b"one", b"", b"two"])
    lines, rejects, reading = read_lines(tmp_path / "f", content)
    assert lines == ["one", "two"]
    assert (reading.read, reading.blank, len(rejects)) == (3, 1, 0)


def test_a_row_that_is_not_utf8_is_rejected_with_its_line_and_a_remedy(tmp_path: Path) -> None:
    lines, rejects, _ = read_lines(tmp_path / "f", b"good\nCaf\xe9 au lait\nbetter\n")
    assert lines == ["good", "better"]
    (reject,) = rejects.samples
    assert (reject.line, reject.reason) == (2, "not_utf8")
    assert "Café" in reject.message and "UTF-8" in reject.remedy
    assert reject.raw == "Caf\\xe9 au lait"


def test_a_row_with_a_nul_is_rejected(tmp_path: Path) -> None:
    lines, rejects, _ = read_lines(tmp_path / "f", b"good\nb\0d\n")
    assert lines == ["good"]
    assert rejects.by_reason == {"unstorable_character": 1}
    assert rejects.samples[0].raw == "b\\x00d"


def test_a_gzip_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    lines, _, _ = read_lines(tmp_path / "orders.txt", gzip.compress(b"one\ntwo"))
    assert lines == ["one", "two"]


def test_members_of_a_gzip_file_are_read_one_after_the_other(tmp_path: Path) -> None:
    content = gzip.compress(b"one\nt") + gzip.compress(b"wo\n") + b"\0" * 512
    lines, rejects, _ = read_lines(tmp_path / "f", content)
    assert lines == ["one", "two"]
    assert len(rejects) == 0


def test_a_truncated_gzip_file_gives_its_whole_lines_and_rejects_the_cut_one(
    tmp_path: Path,
) -> None:
    whole = [f"line {number}" for number in range(100_000)]
    content = gzip.compress("\n".join(whole).encode())
    lines, rejects, reading = read_lines(tmp_path / "f", content[: len(content) // 2])
    assert 0 < len(lines) < len(whole)
    assert lines == whole[: len(lines)]
    assert rejects.by_reason == {"truncated_file": 1}
    assert reading.read == len(lines) + reading.rejected


def test_a_gzip_file_cut_behind_its_last_line_still_says_so(tmp_path: Path) -> None:
    content = gzip.compress(b"one\ntwo\n")
    lines, rejects, reading = read_lines(tmp_path / "f", content[:-8])
    assert lines == ["one", "two"]
    assert rejects.by_reason == {"truncated_file": 1}
    assert (rejects.lines, rejects.parts, reading.read) == (0, 1, 2)


def test_damaged_gzip_data_are_named(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(bytes(range(256)).hex().encode() * 5000))
    content[len(content) // 2] ^= 0xFF
    _, rejects, _ = read_lines(tmp_path / "f", bytes(content))
    assert set(rejects.by_reason) <= {"damaged_file", "truncated_file"}
    assert len(rejects) == 1


def test_what_was_unpacked_before_the_damage_is_taken(tmp_path: Path) -> None:
    packer = zlib.compressobj(wbits=31)
    sound = packer.compress(b"one\ntwo\nthr") + packer.flush(zlib.Z_SYNC_FLUSH)
    no_such_block = b"\x07"
    rest = packer.compress(b"ee\nfour\n") + packer.flush()
    lines, rejects, reading = read_lines(tmp_path / "f", sound + no_such_block + rest)
    assert lines == ["one", "two"]
    (reject,) = rejects.samples
    assert (reject.line, reject.reason, reject.raw) == (3, "damaged_file", "thr")
    assert reading.read == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (gzip.compress(b"one", mtime=0)[:10] + b"\x07" * 9, "unpacked"),
        (gzip.compress(b"", mtime=0), "is empty"),
        ("sku,name".encode("utf-16"), "UTF-16"),
        ("sku,name".encode("utf-16-le"), "UTF-16"),
        (b"PK\x03\x04....", "Excel"),
        (b"BZh91AY", "bzip2"),
        (b"SQLite format 3\0", "SQLite"),
    ],
)
def test_a_file_that_is_no_text_is_refused_whole(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(UnusableInput, match=said):
        read_lines(tmp_path / "f", content)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="does not exist"):
        list(Reading(tmp_path / "nowhere", None).lines())


def test_an_endless_line_is_rejected_and_the_next_one_is_read(tmp_path: Path) -> None:
    content = b"one\n" + b"x" * (MAXIMUM_LINE_BYTES + 400_000) + b"\nthree\n"
    lines, rejects, reading = read_lines(tmp_path / "f", content)
    assert lines == ["one", "three"]
    assert rejects.by_reason == {"line_too_long": 1}
    assert rejects.samples[0].line == 2
    assert reading.read == 3


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_rows_are_split_by_the_delimiter_of_the_header(tmp_path: Path, delimiter: str) -> None:
    content = f'sku{delimiter}name\nMUG{delimiter}"blue{delimiter} big"\n'.encode()
    rows, rejects, _ = read_rows(tmp_path / "f", content)
    assert rows == [["MUG", f"blue{delimiter} big"]]
    assert len(rejects) == 0


def test_a_quoted_field_may_go_over_several_lines(tmp_path: Path) -> None:
    content = HEADER + b'MUG,"blue\nand ""big""",2\nTEA,tin,1\n'
    rows, rejects, reading = read_rows(tmp_path / "f", content)
    assert rows == [["MUG", 'blue\nand "big"', "2"], ["TEA", "tin", "1"]]
    assert (reading.read, len(rejects)) == (2, 0)


def test_a_quote_that_never_closes_costs_its_line_alone(tmp_path: Path) -> None:
    rest = b"".join(b"TEA,tin,%d\n" % number for number in range(50))
    rows, rejects, reading = read_rows(tmp_path / "f", HEADER + b'MUG,"blue,2\n' + rest)
    assert len(rows) == 50
    assert rejects.by_reason == {"unclosed_quote": 1}
    assert rejects.samples[0].line == 2
    assert reading.read == 51


def test_a_quote_left_open_at_the_end_of_the_file_costs_its_line_alone(tmp_path: Path) -> None:
    rows, rejects, _ = read_rows(tmp_path / "f", HEADER + b'MUG,"blue,2\nTEA,tin,1')
    assert rows == [["TEA", "tin", "1"]]
    assert rejects.by_reason == {"unclosed_quote": 1}


def test_a_field_of_too_many_lines_is_not_joined(tmp_path: Path) -> None:
    field = b'"' + b"\n".join(b"line" for _ in range(MAXIMUM_ROW_LINES + 1)) + b'"'
    _, rejects, reading = read_rows(tmp_path / "f", HEADER + b"MUG," + field + b",2\nTEA,tin,1\n")
    assert rejects.by_reason["unclosed_quote"] >= 1
    assert reading.read == reading.rejected + 1


def test_a_row_with_too_few_or_too_many_fields_is_rejected(tmp_path: Path) -> None:
    rows, rejects, _ = read_rows(tmp_path / "f", HEADER + b"MUG,blue\nTEA,tin,1\nA,b,c,d\n")
    assert rows == [["TEA", "tin", "1"]]
    assert rejects.by_reason == {"wrong_column_count": 2}
    assert [reject.line for reject in rejects.samples] == [2, 4]


def test_a_mark_of_inches_is_no_quote(tmp_path: Path) -> None:
    rows, rejects, _ = read_rows(tmp_path / "f", HEADER + b'PIPE,5" wide,1\n')
    assert rows == [["PIPE", '5" wide', "1"]]
    assert len(rejects) == 0


def test_the_rejects_file_holds_every_reject_and_an_earlier_runs_ones_are_gone(
    tmp_path: Path,
) -> None:
    for attempt in range(2):
        with Rejects(tmp_path / "rejects.jsonl") as rejects:
            for line in range(3):
                rejects.add(tmp_path / "f", line, Reason.NOT_JSON, f"attempt {attempt}", "{")
    written = (tmp_path / "rejects.jsonl").read_text().splitlines()
    assert len(written) == 3
    assert all("attempt 1" in line for line in written)


def test_without_rejects_there_is_no_rejects_file(tmp_path: Path) -> None:
    with Rejects(tmp_path / "rejects.jsonl"):
        pass
    assert not (tmp_path / "rejects.jsonl").exists()


LINES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from([b'a,"b', b'a,"b",c', b"a,b,c", b"", b'"', b"\xff", b'a,"b\r', b"a,b\0,c"]),
    ),
    max_size=30,
)


@given(lines=LINES, zipped=st.booleans(), cut=st.integers(0, 60))
def test_any_bytes_are_read_without_a_crash_and_every_row_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], zipped: bool, cut: int
) -> None:
    content = b"\n".join([b"sku,name,quantity", *lines])
    if zipped:
        content = gzip.compress(content)
        content = content[: max(len(content) - cut, 30)]
    path = tmp_path_factory.getbasetemp() / "soup"
    path.write_bytes(content)
    rejects = Rejects()
    reading = Reading(path, rejects)
    try:
        rows = list(reading.rows())[1:]
    except UnusableInput:
        return
    assert reading.read == len(rows) + reading.blank + reading.rejected
    assert rejects.lines == reading.rejected
