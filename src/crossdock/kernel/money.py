"""Money: integer minor units of an ISO 4217 currency, shared out without losing a cent."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation

# ISO 4217, list one as its maintenance agency SIX publishes it, as of 2026 (with XAD and XCG,
# without ANG and BGN): the decimals of each currency's minor unit. Metals, units of account and
# test codes, for which the list gives no minor unit, are left out.
_CURRENCIES_BY_EXPONENT = {
    0: """
        BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF
    """,
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD
        CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP
        GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK
        LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO
        NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS
        SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST
        XAD XCD XCG YER ZAR ZMW ZWG
    """,
    3: """
        BHD IQD JOD KWD LYD OMR TND
    """,
    4: """
        CLF UYW
    """,
}

_EXPONENTS = {
    code: exponent for exponent, codes in _CURRENCIES_BY_EXPONENT.items() for code in codes.split()
}

# The default context would silently round what has more than 28 digits.
_EXACTLY = Context(prec=60, traps=[Inexact, InvalidOperation])


class UnknownCurrency(ValueError):
    """Not a currency of ISO 4217 that money is counted in."""


class InexactAmount(ValueError):
    """The amount has more decimals than its currency's minor unit."""


def share_out(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` in proportion to `weights` by largest remainder; the parts sum to it exactly.

    Weights are not negative; where all are zero they count as equal. The cents left over go to the
    largest remainders, and among equal ones to the earlier part. A negative total is shared out as
    its positive and negated, so that what was given can be taken back part by part.
    No weights share out nothing: then the total must be 0.
    """
    whole = sum(weights)
    if not weights:
        assert total == 0, "an amount needs at least one part to go to"
        return []
    assert min(weights) >= 0, "weights are not negative"
    if whole == 0:
        weights, whole = [1] * len(weights), len(weights)
    if total < 0:
        return [-part for part in share_out(-total, weights)]
    parts = [total * weight // whole for weight in weights]
    left_over = total - sum(parts)
    if left_over:
        by_remainder = sorted(range(len(weights)), key=lambda i: -(total * weights[i] % whole))
        for i in by_remainder[:left_over]:
            parts[i] += 1
    return parts


def is_currency(code: str) -> bool:
    """Whether ISO 4217 knows `code` as a currency with a minor unit."""
    return code in _EXPONENTS


def exponent_of(currency: str) -> int:
    """Decimals of the currency's minor unit: 2 for USD, 0 for JPY. Raises UnknownCurrency."""
    try:
        return _EXPONENTS[currency]
    except KeyError:
        raise UnknownCurrency(f"{currency!r} is not an ISO 4217 currency") from None


def to_minor(amount: Decimal, currency: str) -> int:
    """Major units as minor units, exactly: 12.34 USD is 1234.

    Raises InexactAmount where the currency has fewer decimals than the amount, and UnknownCurrency.
    """
    exponent = exponent_of(currency)
    try:
        return int(_EXACTLY.to_integral_exact(_EXACTLY.scaleb(amount, exponent)))
    except (Inexact, InvalidOperation, OverflowError, ValueError):
        raise InexactAmount(f"{amount} is no whole number of {currency}'s minor unit") from None


def rounded_to_minor(amount: Decimal, currency: str) -> int:
    """Major units as the nearest minor units, halves away from zero, as a till rounds."""
    shifted = amount.scaleb(exponent_of(currency))
    return int(shifted.to_integral_value(rounding=ROUND_HALF_UP))


def to_major(minor: int, currency: str) -> Decimal:
    """Minor units as major units, exactly, with the currency's decimals: 1230 USD is 12.30."""
    return Decimal(minor).scaleb(-exponent_of(currency))


def text_of(minor: int, currency: str) -> str:
    """An amount for people: `1,234.50 USD`."""
    return f"{to_major(minor, currency):,f} {currency}"


def currencies() -> tuple[str, ...]:
    """All currency codes, in order."""
    return tuple(sorted(_EXPONENTS))
