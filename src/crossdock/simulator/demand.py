"""The orders of a made-up retailer: who wants what, when, paid how, and who changes their mind.

Everything random is drawn in columns first; objects are made one by one while they are read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from crossdock.importers.arrivals import Arrival, CancelArrival, OrderArrival
from crossdock.importers.postal_codes import Places
from crossdock.model.messages import LineQuantity
from crossdock.model.orders import Charge, Method, TaxLine, Tender
from crossdock.model.outside import (
    OutsideAddress,
    OutsideGroup,
    OutsideLine,
    OutsideOrder,
    OutsideParty,
)
from crossdock.simulator.assortment import Assortment

Integers = NDArray[np.int64]

# Orders per hour of the local day, 0 to 23: few at night, most after dinner.
_DAY_CURVE = (
    8,
    5,
    3,
    2,
    2,
    4,
    9,
    18,
    30,
    40,
    46,
    50,
    54,
    52,
    48,
    46,
    45,
    46,
    50,
    58,
    66,
    64,
    45,
    22,
)
_LINE_COUNT_WEIGHTS = (0.44, 0.28, 0.16, 0.08, 0.04)
_QUANTITY_WEIGHTS = (0.86, 0.10, 0.03, 0.01)
_FREE_SHIPPING_FROM = 5000
_SUSPICIOUS_CENTS = 1_050_000
"""Worth of a line of a suspicious order: above what the shipped policy lets pass unseen."""
_SHIPPING = {"standard": 595, "express": 1495, "next_day": 2495}
_PROMISED_DAYS = {"standard": 5, "express": 2, "next_day": 1}
# State sales tax in tenths of a percent, without local additions (Tax Foundation, 2024).
_SALES_TAX_TEXT = """
    AL 40 AR 65 AZ 56 CA 73 CO 29 CT 64 DC 60 FL 60 GA 40 HI 40 IA 60 ID 60 IL 63 IN 70 KS 65 KY 60
    LA 45 MA 63 MD 60 ME 55 MI 60 MN 69 MO 42 MS 70 NC 48 ND 50 NE 55 NJ 66 NM 49 NV 69 NY 40 OH 58
    OK 45 PA 60 RI 70 SC 60 SD 42 TN 70 TX 63 UT 61 VA 53 VT 60 WA 65 WI 50 WV 60 WY 40
"""
_SALES_TAX = dict(
    zip(_SALES_TAX_TEXT.split()[::2], map(int, _SALES_TAX_TEXT.split()[1::2]), strict=True)
)
_FIRST_NAMES = ("Ada", "Ben", "Chloe", "Dan", "Elena", "Felix", "Grace", "Hugo", "Ines", "Jonas")
_LAST_NAMES = ("Abbott", "Baker", "Cruz", "Diaz", "Evans", "Fischer", "Garcia", "Hill", "Ito")
_STREETS = ("Oak St", "Main St", "Maple Ave", "2nd St", "Park Ave", "Cedar Ln", "Lake Dr", "Elm St")


class Mix(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of orders, 0 to 1. Marketplace orders arrive paid; the rest is web and app."""

    marketplace: float = 0.20
    app: float = 0.20
    express: float = 0.10
    next_day: float = 0.03
    gift_card: float = 0.05
    """Paid in part with a gift card."""
    bad_address: float = 0.005
    """The address has no postal code and no coordinates."""
    suspicious: float = 0.004
    """Many units of dear products, fast, from a customer nobody knows."""
    cancel: float = 0.015
    cancel_part: float = 0.005
    repeated: float = 0.003
    """The channel sends the order twice."""
    substitutes: float = 0.05
    """The customer takes something like it for what cannot be had."""


class Draws(NamedTuple):
    """One row per order, in the order of placing; `lines` bounds its rows of the line columns."""

    placed: list[float]
    place: list[int]
    channel: list[str]
    service: list[str]
    bad_address: list[bool]
    suspicious: list[bool]
    gift_card: list[bool]
    person: list[int]
    line_start: list[int]
    sku: list[int]
    quantity: list[int]
    substitutes_allowed: list[bool]


def draw_orders(
    rng: np.random.Generator,
    count: int,
    start: datetime,
    hours: float,
    places: Places,
    assortment: Assortment,
    mix: Mix,
) -> Draws:
    """All that is random about `count` orders placed within `hours` from `start`."""
    place = rng.choice(len(places.codes), count, p=places.people / places.people.sum())
    placed = _times(rng, place, start, hours, places)
    order = np.argsort(placed, kind="stable")
    placed, place = placed[order], place[order]
    line_count = 1 + rng.choice(len(_LINE_COUNT_WEIGHTS), count, p=_LINE_COUNT_WEIGHTS)
    suspicious = rng.random(count) < mix.suspicious
    sku, quantity, line_start = _lines(rng, line_count, suspicious, assortment)
    channel = rng.random(count)
    service = rng.random(count)
    return Draws(
        placed=placed.tolist(),
        place=place.tolist(),
        channel=[
            "marketplace"
            if x < mix.marketplace
            else "app"
            if x < mix.marketplace + mix.app
            else "web"
            for x in channel.tolist()
        ],
        service=[
            "next_day"
            if x < mix.next_day or strange
            else "express"
            if x < mix.next_day + mix.express
            else "standard"
            for x, strange in zip(service.tolist(), suspicious.tolist(), strict=True)
        ],
        bad_address=(rng.random(count) < mix.bad_address).tolist(),
        suspicious=suspicious.tolist(),
        gift_card=(rng.random(count) < mix.gift_card).tolist(),
        person=rng.integers(0, 1 << 40, count).tolist(),
        line_start=line_start.tolist(),
        sku=sku.tolist(),
        quantity=quantity.tolist(),
        substitutes_allowed=(rng.random(count) < mix.substitutes).tolist(),
    )


def _times(
    rng: np.random.Generator, place: Integers, start: datetime, hours: float, places: Places
) -> NDArray[np.float64]:
    """Seconds since 1970 by the day curve of each customer's own time zone."""
    zones = sorted(set(places.time_zones))
    number = {zone: index for index, zone in enumerate(zones)}
    offset = np.array([_offset_hours(start, zone) for zone in zones])
    local = offset[np.array([number[zone] for zone in places.time_zones])][place]
    at = np.empty(len(place))
    waiting = np.arange(len(place))
    curve = np.array(_DAY_CURVE) / max(_DAY_CURVE)
    start_hour = start.hour + start.minute / 60
    # Drawn until the curve accepts: exact, and a window of any length works.
    while len(waiting):
        drawn = rng.random(len(waiting)) * hours
        hour = (start_hour + drawn + local[waiting]) % 24
        accepted = rng.random(len(waiting)) < curve[hour.astype(np.int64) % 24]
        at[waiting[accepted]] = drawn[accepted]
        waiting = waiting[~accepted]
    seconds: NDArray[np.float64] = np.floor(start.timestamp() + at * 3600)
    return seconds


def _offset_hours(start: datetime, zone: str) -> float:
    offset = start.astimezone(ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return offset.total_seconds() / 3600


def _lines(
    rng: np.random.Generator,
    line_count: Integers,
    suspicious: NDArray[np.bool_],
    assortment: Assortment,
) -> tuple[Integers, Integers, Integers]:
    """SKU and quantity per line, and where each order's lines start (one bound more at the end)."""
    total = int(line_count.sum())
    start = np.concatenate([[0], np.cumsum(line_count)])
    cumulated = np.cumsum(assortment.demand)
    cumulated /= cumulated[-1]
    sku = np.searchsorted(cumulated, rng.random(total), side="right")
    sku = np.minimum(sku, len(assortment.skus) - 1)
    quantity = 1 + rng.choice(len(_QUANTITY_WEIGHTS), total, p=_QUANTITY_WEIGHTS)
    strange = np.repeat(suspicious, line_count)
    dear = np.argsort(-assortment.prices, kind="stable")[: max(len(assortment.skus) // 50, 1)]
    sku[strange] = rng.choice(dear, int(strange.sum()))
    quantity[strange] = _SUSPICIOUS_CENTS // assortment.prices[sku[strange]] + 1
    return sku, quantity, start


def arrivals(
    draws: Draws,
    rng_seed: int,
    currency: str,
    places: Places,
    assortment: Assortment,
    mix: Mix,
) -> Iterator[Arrival]:
    """The orders in time order, and in between them cancels and repeats. Always the same ones."""
    rng = np.random.default_rng([rng_seed, 7])
    pending: list[tuple[float, int, Arrival]] = []
    fate = rng.random((len(draws.placed), 3)).tolist()
    delay = rng.exponential(1.0, (len(draws.placed), 2)).tolist()
    maker = _Maker(draws, currency, places, assortment)
    for index, placed in enumerate(draws.placed):
        while pending and pending[0][0] <= placed:
            yield pending.pop(0)[2]
        order = maker.order(index)
        arrival = OrderArrival(at=order.placed_at, line=index + 1, order=order)
        yield arrival
        repeats, cancels, which = fate[index]
        if repeats < mix.repeated:
            again = placed + min(delay[index][0] * 120.0, 3600.0)
            _keep(
                pending,
                again,
                index,
                msgspec.structs.replace(arrival, at=_at(again), repeated=True),
            )
        if cancels < mix.cancel + mix.cancel_part:
            later = placed + 60.0 + min(delay[index][1], 8.0) * 8 * 3600.0
            part = cancels >= mix.cancel
            _keep(pending, later, index, _cancel(order, index + 1, _at(later), part, which))
    for _, _, arrival_later in pending:
        yield arrival_later


def _keep(
    pending: list[tuple[float, int, Arrival]], at: float, index: int, arrival: Arrival
) -> None:
    # Few are pending at a time; whole seconds keep the file form and this one alike.
    place = bisect_left([(when, number) for when, number, _ in pending], (at, index))
    pending.insert(place, (at, index, arrival))


def _cancel(
    order: OutsideOrder, line: int, at: datetime, part: bool, which: float
) -> CancelArrival:
    lines: tuple[LineQuantity, ...] = ()
    if part:
        chosen = order.lines[int(which * len(order.lines))]
        lines = (LineQuantity(chosen.number, max(chosen.quantity // 2, 1)),)
    return CancelArrival(
        at=at,
        line=line,
        order_id=order.id,
        request_id=f"cancel-{order.number}",
        number=order.number,
        lines=lines,
    )


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


class _Maker:
    """Makes order objects out of the drawn columns."""

    def __init__(self, draws: Draws, currency: str, places: Places, assortment: Assortment) -> None:
        self.draws = draws
        self.currency = currency
        self.places = places
        self.skus = assortment.skus
        self.prices = assortment.prices.tolist()
        self.decimals = [Decimal(price).scaleb(-2) for price in self.prices]
        self.zones = {name: ZoneInfo(name) for name in set(places.time_zones)}
        self.rates = {state: Decimal(rate).scaleb(-3) for state, rate in _SALES_TAX.items()}

    def order(self, index: int) -> OutsideOrder:
        """The order of that row; its total is the sum of its parts."""
        draws = self.draws
        place = draws.place[index]
        channel = draws.channel[index]
        service = draws.service[index]
        lines = self._lines(index)
        items = sum(line.total or 0 for line in lines)
        shipping = _SHIPPING[service]
        if service == "standard" and items >= _FREE_SHIPPING_FROM:
            shipping = 0
        taxes = self._taxes(lines, self.places.states[place])
        total = items + shipping + sum(tax.amount for tax in taxes)
        placed_at = _at(draws.placed[index])
        number = f"{channel[0].upper()}{index + 1:07d}"
        return OutsideOrder(
            channel=channel,
            number=number,
            placed_at=placed_at,
            currency=self.currency,
            total=total,
            lines=lines,
            groups=(self._group(index, place, service, placed_at),),
            customer=self._person(index),
            charges=(Charge(number=1, kind="shipping", amount=shipping, group=1),)
            if shipping
            else (),
            taxes=taxes,
            tenders=_tenders(channel, number, total, draws.gift_card[index]),
            priority=2 if service == "next_day" else 3,
            substitutes_allowed=draws.substitutes_allowed[index],
        )

    def _lines(self, index: int) -> tuple[OutsideLine, ...]:
        start, end = self.draws.line_start[index : index + 2]
        wanted: dict[int, int] = {}
        for sku, quantity in zip(
            self.draws.sku[start:end], self.draws.quantity[start:end], strict=True
        ):
            wanted[sku] = wanted.get(sku, 0) + quantity
        return tuple(
            OutsideLine(
                number=number,
                sku=self.skus[sku],
                quantity=quantity,
                unit_price=self.decimals[sku],
                total=self.prices[sku] * quantity,
            )
            for number, (sku, quantity) in enumerate(wanted.items(), start=1)
        )

    def _taxes(self, lines: tuple[OutsideLine, ...], state: str) -> tuple[TaxLine, ...]:
        rate = _SALES_TAX.get(state)
        if rate is None:
            return ()
        return tuple(
            TaxLine(
                number=line.number,
                jurisdiction=f"US-{state}",
                rate=self.rates[state],
                amount=((line.total or 0) * rate + 500) // 1000,
                line=line.number,
            )
            for line in lines
        )

    def _group(self, index: int, place: int, service: str, placed_at: datetime) -> OutsideGroup:
        places, bad = self.places, self.draws.bad_address[index]
        person = self.draws.person[index]
        local = placed_at.astimezone(self.zones[places.time_zones[place]])
        day = local.date() + timedelta(days=_PROMISED_DAYS[service])
        return OutsideGroup(
            method=Method.SHIP,
            service=service,
            address=OutsideAddress(
                country="US",
                postal_code="" if bad else places.codes[place],
                lines=(f"{1 + person % 9800} {_STREETS[person % len(_STREETS)]}",),
                city="" if bad else places.cities[place],
                administrative_area=places.states[place],
                latitude=None if bad else float(places.latitude[place]),
                longitude=None if bad else float(places.longitude[place]),
            ),
            promised_by=datetime.combine(day, time(20), local.tzinfo).astimezone(UTC),
        )

    def _person(self, index: int) -> OutsideParty:
        person = self.draws.person[index]
        first = _FIRST_NAMES[person % len(_FIRST_NAMES)]
        last = _LAST_NAMES[person // 16 % len(_LAST_NAMES)]
        host = "mail.example.net" if self.draws.suspicious[index] else "example.com"
        return OutsideParty(
            name=f"{first} {last}",
            email=f"{first.lower()}.{last.lower()}.{person % 100_000}@{host}",
            phone=f"555{person % 10_000_000:07d}",
            language="en",
        )


def _tenders(channel: str, number: str, total: int, gift_card: bool) -> tuple[Tender, ...]:
    if channel == "marketplace":
        return (Tender(number=1, kind="marketplace", amount=total, reference=number, paid=True),)
    if not gift_card or total < 4000:
        return (Tender(number=1, amount=total, reference=f"card-{number}"),)
    return (
        Tender(number=1, kind="gift_card", amount=2500, reference=f"gift-{number}"),
        Tender(number=2, amount=total - 2500, reference=f"card-{number}", order_of_use=2),
    )
