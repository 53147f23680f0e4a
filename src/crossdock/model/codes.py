"""Codes others keep: countries, time zones, and the GS1 keys with their check digits."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

# ISO 3166-1 alpha-2, the 249 officially assigned codes (ISO Online Browsing Platform, 2026), and
# XK, which ISO leaves to its users and carriers and the European Commission use for Kosovo.
_COUNTRIES = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ
    BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM
    DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS
    GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN
    KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ
    MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM
    PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV
    SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI
    VN VU WF WS YE YT ZA ZM ZW
    XK
"""
COUNTRIES = frozenset(_COUNTRIES.split())

# GS1 General Specifications, release 25, section 7.9.1: digits are weighted 3 and 1 in turn, the
# one beside the check digit by 3.
_GTIN_LENGTHS = frozenset((8, 12, 13, 14))
_GLN_LENGTH = 13
_DIGITS = frozenset("0123456789")


def is_country(code: str) -> bool:
    """Whether `code` is an ISO 3166-1 alpha-2 country (or XK)."""
    return code in COUNTRIES


def is_gtin(code: str) -> bool:
    """Whether `code` is a GTIN-8, -12, -13 or -14 with a right check digit."""
    return len(code) in _GTIN_LENGTHS and _has_check_digit(code)


def is_gln(code: str) -> bool:
    """Whether `code` is a Global Location Number with a right check digit."""
    return len(code) == _GLN_LENGTH and _has_check_digit(code)


def check_digit(digits: str) -> str:
    """The GS1 check digit that belongs behind `digits`."""
    total = sum(int(digit) * (3, 1)[i % 2] for i, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def is_time_zone(name: str) -> bool:
    """Whether `name` is a zone of the IANA database that a node's day can be computed in."""
    return name in _zone_names()


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The time zone of that name; read once."""
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    # `localtime`, `posixrules` and `Factory` name no place; some systems' folders have them.
    return frozenset(available_timezones()) - {"localtime", "posixrules", "Factory"}


def _has_check_digit(code: str) -> bool:
    # str.isdigit() would let other scripts' digits pass.
    return _DIGITS.issuperset(code) and check_digit(code[:-1]) == code[-1]
