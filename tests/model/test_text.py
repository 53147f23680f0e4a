"""A character that nobody can keep is found wherever it hides, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.model.text import storable, unstorable
from tests.model.orders import LAMP_AND_BULBS

BAD = st.one_of(
    st.sampled_from([chr(code) for code in range(32) if chr(code) not in "\t\n\r"]),
    st.characters(categories=["Cs"]),
    st.sampled_from("\ufffe\uffff"),
)
GOOD = st.text(
    alphabet=st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r\\"),
    max_size=20,
)
# Any nesting of mappings and sequences, and the path of each text in it.
DOCUMENTS = st.recursive(
    GOOD | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner),
    max_leaves=8,
)


@given(GOOD)
def test_text_people_write_is_kept_in_any_script(text: str) -> None:
    assert storable(text)
    assert unstorable({"note": text}) == []


@given(
    DOCUMENTS, GOOD, BAD, GOOD, st.lists(st.integers(0, 3) | st.text("xyz", min_size=1), max_size=4)
)
def test_an_unstorable_character_is_found_with_its_path_however_deep(
    beside: object, before: str, bad: str, after: str, way: list[int | str]
) -> None:
    document: object = before + bad + after
    path = ""
    for step in reversed(way):
        if isinstance(step, int):
            document = [beside] * step + [document]
            path = f"[{step}]{path}"
        else:
            document = {"beside": beside, step: document}
            path = f".{step}{path}"

    problems = unstorable({"root": document})

    assert [problem.path for problem in problems] == [f"root{path}"]
    assert f"U+{ord(bad):04X} at position {len(before) + 1}" in problems[0].message


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\ud800", "\uffff"])
def test_every_text_of_an_order_is_looked_at(character: str) -> None:
    paths = [path for path, _ in texts_of(LAMP_AND_BULBS, "")]
    assert len(paths) > 20

    for path, spoiled in texts_of(LAMP_AND_BULBS, "", f"a{character}"):
        assert [problem.path for problem in unstorable(spoiled)] == [path]


def texts_of(value: object, path: str, instead: str = "") -> Iterator[tuple[str, object]]:
    """The path of every text in a struct, and the struct with that text replaced."""
    if type(value) is str:
        yield path, instead
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            inner = f"{path}.{name}" if path else name
            for found, changed in texts_of(getattr(value, name), inner, instead):
                yield found, msgspec.structs.replace(value, **{name: changed})
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            for found, changed in texts_of(item, f"{path}[{index}]", instead):
                yield found, (*value[:index], changed, *value[index + 1 :])


def test_a_key_that_cannot_be_kept_is_shown_by_its_escape() -> None:
    problems = unstorable({"attributes": {"acme.\x00": "fine"}})

    assert [problem.path for problem in problems] == [r"attributes.acme.\x00"]
