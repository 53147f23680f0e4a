"""Codes others keep: what they assign is known, what they never assigned is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.model.codes import (
    COUNTRIES,
    check_digit,
    is_country,
    is_gln,
    is_gtin,
    is_time_zone,
    zone,
)

digits = st.text(alphabet="0123456789", min_size=7, max_size=13)


# Examples of the GS1 General Specifications and of goods on a shelf.
@pytest.mark.parametrize(
    "code", ["96385074", "614141000036", "4006381333931", "9780201379624", "10614141000415"]
)
def test_a_gtin_of_each_length_is_known_by_its_check_digit(code: str) -> None:
    assert is_gtin(code)


@pytest.mark.parametrize(
    "code",
    ["4006381333932", "400638133393", "40063813339310", "400638133393X", "", "٤٠٠٦٣٨١٣٣٣٩٣١"],
)
def test_a_wrong_digit_length_or_script_is_no_gtin(code: str) -> None:
    assert not is_gtin(code)


def test_a_gln_has_13_digits() -> None:
    assert is_gln("5412345000013")
    assert not is_gln("5412345000014")
    assert not is_gln("96385074")


@given(digits.filter(lambda text: len(text) in (7, 11, 12, 13)), st.data())
def test_any_one_digit_mistyped_is_noticed(body: str, data: st.DataObject) -> None:
    code = body + check_digit(body)
    assert is_gtin(code)
    at = data.draw(st.integers(0, len(code) - 1))
    other = data.draw(st.sampled_from("0123456789").filter(lambda digit: digit != code[at]))
    assert not is_gtin(code[:at] + other + code[at + 1 :])


def test_countries_are_those_of_iso_3166_and_kosovo() -> None:
    assert len(COUNTRIES) == 250
    assert is_country("BR")
    assert is_country("XK")
    assert not is_country("UK")
    assert not is_country("us")


def test_time_zones_are_those_of_the_iana_database() -> None:
    assert is_time_zone("America/Argentina/Buenos_Aires")
    assert is_time_zone("UTC")
    assert not is_time_zone("Mars/Olympus_Mons")
    assert not is_time_zone("../../etc/passwd")
    assert zone("Europe/Berlin").key == "Europe/Berlin"
