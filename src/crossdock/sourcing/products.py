"""A product under a policy: what the cost of a unit at a node is made of."""

from __future__ import annotations

from datetime import date, datetime

from crossdock.sourcing.eligibility import has_rules
from crossdock.sourcing.model import NodeKind, SkuFacts
from crossdock.sourcing.policy import SourcingPolicy

KINDS: tuple[NodeKind, ...] = ("store", "dc", "dark_store", "3pl", "vendor")
KIND_NUMBER: dict[str, int] = {kind: i for i, kind in enumerate(KINDS)}


class Product:
    """One SKU's figures, computed once for a policy and a day."""

    __slots__ = (
        "at_risk",
        "cost",
        "dimensional",
        "facts",
        "freight_line",
        "freight_unit",
        "grams",
        "markdown_rate",
        "markdown_unit",
        "most_markdown",
        "plain",
        "price",
        "risks",
        "season_ends",
    )

    def __init__(self, facts: SkuFacts, policy: SourcingPolicy, today: date) -> None:
        self.facts = facts
        surcharges = policy.freight.surcharges
        length, width, height = facts.dimensions_mm
        volume = length * width * height
        self.grams = max(facts.weight_grams, 1)
        self.dimensional = -(-volume // policy.freight.dimensional_mm3_per_gram)
        oversize = surcharges.oversize_mm and max(facts.dimensions_mm) > surcharges.oversize_mm
        self.freight_unit = surcharges.oversize_minor if oversize else 0
        harmless = policy.dangerous_goods.exempt
        dangerous = facts.dangerous_goods and facts.dangerous_goods not in harmless
        self.freight_line = surcharges.dangerous_goods_minor if dangerous else 0
        self.price = facts.price_in(policy.currency)
        self.cost = facts.cost_in(policy.currency)
        self.at_risk = risk_tables(self.price - self.cost, policy)
        self.risks: dict[int, tuple[tuple[int, ...], ...]] = {}
        markdown = policy.cost.markdown
        percent = markdown.percent if facts.markdown_percent is None else facts.markdown_percent
        self.markdown_rate = percent if markdown.percent else 0
        self.season_ends = facts.season_end.toordinal() if facts.season_end else None
        self.markdown_unit = self._by_season(policy, today)
        if facts.first_received_on is not None:
            age = (today - facts.first_received_on).days
            self.markdown_unit = max(self.markdown_unit, self._by_age(policy, age))
        self.most_markdown = self.price * self.markdown_rate // 100 + 1
        self.plain = not has_rules(facts) and not facts.components

    def billable(self, tare: int) -> int:
        """Grams a package of one unit is charged for."""
        return max(self.grams, self.dimensional) + tare

    def risk_of(self, quantity: int) -> tuple[tuple[int, ...], ...]:
        """By kind of node and units left: what taking so many risks; nothing beyond the table."""
        found = self.risks.get(quantity)
        if found is None:
            if quantity >= max(map(len, self.at_risk)):
                return self.at_risk  # Taken from an untouched shelf.
            found = tuple([_of_taking(quantity, table) for table in self.at_risk])
            self.risks[quantity] = found
        return found

    def _by_season(self, policy: SourcingPolicy, today: date) -> int:
        """Markdown a unit escapes by being sold now, when nothing is known about the node."""
        if self.season_ends is None or not self.markdown_rate:
            return 0
        horizon = policy.cost.markdown.horizon_days
        left = min(max(self.season_ends - today.toordinal(), 0), horizon)
        return _rounded(self.price * self.markdown_rate * (horizon - left), 100 * horizon)

    def markdown_at(
        self,
        policy: SourcingPolicy,
        now: datetime,
        available: int,
        age_days: int | None,
        weekly_sales: float | None,
    ) -> int:
        """Markdown a unit escapes, with what is known about the stock at the node."""
        rate = self.markdown_rate
        if not rate:
            return 0
        best = self.markdown_unit
        if self.season_ends is not None and weekly_sales is not None:
            weeks = max(self.season_ends - now.toordinal(), 0) / 7
            unsold = min(max(1 - weekly_sales * weeks / max(available, 1), 0.0), 1.0)
            best = _rounded(self.price * rate * round(unsold * 1000), 100_000)
        if age_days is not None:
            best = max(best, self._by_age(policy, age_days))
        return best

    def _by_age(self, policy: SourcingPolicy, age_days: int) -> int:
        """Markdown a unit escapes by being sold now, when it has lain for so long."""
        rules = policy.cost.markdown
        danger = min(age_days - rules.aged_after_days, rules.aged_within_days)
        if danger <= 0:
            return 0
        return _rounded(self.price * self.markdown_rate * danger, 100 * rules.aged_within_days)


def risk_tables(margin: int, policy: SourcingPolicy) -> tuple[tuple[int, ...], ...]:
    """By kind of node and units left: margin at risk compared with an untouched shelf.

    Leaving r units of n safe ones risks the margin times (n - r) / n; the table sums that over
    the units from n down, so that taking several costs the difference of two entries.
    """
    margin = max(margin, 0)
    percent = policy.cost.stockout.margin_percent
    tables = []
    for kind in KINDS:
        safe = policy.cost.stockout.safe_units.get(kind, 0) if percent else 0
        table = [0] * (safe + 1)
        for left in range(safe - 1, -1, -1):
            table[left] = table[left + 1] + _rounded(margin * percent * (safe - left), 100 * safe)
        tables.append(tuple(table[:safe]))
    return tuple(tables)


def _of_taking(quantity: int, table: tuple[int, ...]) -> tuple[int, ...]:
    before = table[quantity:] + (0,) * quantity
    return tuple([risk - known for risk, known in zip(table, before, strict=False)])


def _rounded(numerator: int, denominator: int) -> int:
    """Integer division, half away from zero for what is never negative."""
    return (2 * numerator + denominator) // (2 * denominator)
