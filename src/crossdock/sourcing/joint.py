"""The joint view of a batch: orders planned one after the other share out again what several want.

First, all that compete are planned again at prices for what they compete for (`market`), those
first that lose most by stepping aside. Then an order that still misses something asks: if an order
that holds it took its next best plan, would the two together be cheaper? Either change is kept
only if the sum is cheaper and no order has more units left open than it had, or more substitutes.
Everything is counted and nothing timed, so that a re-run gives the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from crossdock.sourcing.eligibility import CAPACITY, FAR
from crossdock.sourcing.jobs import Job, Piece
from crossdock.sourcing.market import Market, Prices, Takes
from crossdock.sourcing.model import Decision
from crossdock.sourcing.records import Accountant
from crossdock.sourcing.search import Search
from crossdock.sourcing.state import Column, LotTakes

if TYPE_CHECKING:
    from crossdock.sourcing.run import Run

UNKNOWN_REGRET = 1 << 60
PLANS_BID = 32
"""Plans an order brings to the market."""
BEST_BID = 16
"""So many of them are the best it has; the others were come across."""
TRADE_ATTEMPTS = 4
"""How often the trade is tried before it is given up because an order has more units open."""
TRADED_LINES = 40
"""Orders of more lines neither ask nor move. Planning one again takes as long as hundreds of small
orders: a year of a wholesaler's orders took twice the time for plans 0.04 % cheaper."""
WORTH_ASKING = 30
"""An order that could save less than this part of its cost does not ask."""


class Placement:
    """An order's plan, and what was taken for it."""

    __slots__ = ("days", "decision", "job", "ordered", "pieces", "score", "search", "takes")

    def __init__(self, ordered: Job, search: Search, decision: Decision, score: int) -> None:
        self.ordered = ordered
        """What is planned again."""
        self.job = search.job
        """What was planned: with substitutes where what was ordered could not be filled."""
        self.search = search
        self.decision = decision
        self.score = score
        """What the search's rules make of it, as things stood when it was placed."""
        self.pieces: tuple[Piece, ...] = search.plans[0][3] if search.plans else ()
        self.days: dict[int, int] = {}
        """By node, the ordinal of the day it leaves."""
        self.takes: list[tuple[Column, int, int, LotTakes]] = []

    @property
    def is_traded(self) -> bool:
        """Whether it is small enough to be planned again and again."""
        return len(self.job.bundles) <= TRADED_LINES

    @property
    def missed_units(self) -> tuple[int, int]:
        """Units without a node, and units for which another product is sent."""
        left_open = sum([line.quantity for line in self.decision.chosen.unfilled])
        if self.job is self.ordered:
            return left_open, 0
        ordered = self.ordered.bundles
        given = [q for _, k, q in self.pieces if self.job.bundles[k] is not ordered[k]]
        return left_open, sum(given)


class Miss(NamedTuple):
    """What an order lost to others of its batch and might save with."""

    saving: int
    """At most."""
    shelves: list[tuple[int, int]]
    """Bundle and node."""
    places: list[int]


class Joint:
    """Betters the placements of one batch."""

    def __init__(self, run: Run, placed: dict[int, Placement]) -> None:
        self.run = run
        self.placed = placed
        self.capacity = run.state.capacity
        self.limits = run.policy.search
        self.prices: Prices = {}
        """What the market found: who misses something worth less than its price need not ask."""

    def improve(self) -> None:
        """Trades, then lets every order that misses something ask the others, in sequence."""
        missing = self._missing()
        if missing and self.run.policy.choose == "cost":
            self._trade(missing)
            missing = self._missing()
        for turn in range(self.limits.joint_rounds):
            if turn:
                missing = self._missing()
            bettered = [n for n, miss in missing.items() if self._ask(self.placed[n], miss)]
            if not bettered:
                return

    def _missing(self) -> dict[int, Miss]:
        """The orders that may save most by what others hold, in the sequence of the batch."""
        found: dict[int, Miss] = {}
        for number, placement in self.placed.items():
            if not placement.is_traded:
                continue
            if placement.job.contended or CAPACITY in placement.job.rejected:
                miss = self._miss(placement)
                if miss.saving * WORTH_ASKING > placement.score:
                    found[number] = miss
        if len(found) > self.limits.joint_orders:
            ranked = sorted((-miss.saving, number) for number, miss in found.items())
            chosen = {number for _, number in ranked[: self.limits.joint_orders]}
            return {number: miss for number, miss in found.items() if number in chosen}
        return found

    def _miss(self, placement: Placement) -> Miss:
        """Bounds what the order could save at each node it lost: the bundle there, with a package
        of its own, and every other bundle where it is cheapest."""
        job, search = placement.job, placement.search
        view = search.view
        squeezed = self.capacity.squeezed.intersection(job.rejected.get(CAPACITY, ()))
        floor = [min(options.values(), default=None) for options in search.options]
        known = sum([cost for cost in floor if cost is not None])
        saving, shelves, places = 0, [], []
        for k, node in dict.fromkeys(job.contended):
            if view.cell.zones[node] == FAR:
                continue
            more = placement.score - known - self._least(search, k, node) + (floor[k] or 0)
            for need in job.bundles[k].needs:
                price = self.prices.get((id(need.column), node), 0)
                more -= round(price) * need.units * job.bundles[k].quantity
            if more > 0:
                saving = max(saving, more)
                shelves.append((k, node))
        for node in sorted(squeezed):
            price = round(self.prices.get((0, node), 0))
            for k, bundle in enumerate(job.bundles):
                if bundle.needs[0].column.left.get(node, 0) < bundle.quantity:
                    continue
                more = placement.score - known - self._least(search, k, node) + (floor[k] or 0)
                if more > price:
                    saving = max(saving, more - price)
                    places.append(node)
                    break
        return Miss(saving, shelves, places)

    def _least(self, search: Search, k: int, node: int) -> int:
        """No less does a bundle cost at a node with a package of its own."""
        bundle, desk, view = search.job.bundles[k], search.desk, search.view
        row = view.rows[bundle.billable(bundle.quantity, desk.tare)]
        cost = desk.order_cost[node] + row[view.cell.zones[node]]
        cost += view.cell.meters[node] * search.rules.by_distance
        for need in bundle.needs:
            units = need.units * bundle.quantity
            each = desk.unit[node] + need.product.freight_unit
            each -= need.product.most_markdown if need.column.row else need.product.markdown_unit
            cost += each * units + desk.line[node] + desk.fail[node] + need.product.freight_line
        return cost

    def _trade(self, missing: dict[int, Miss]) -> None:
        """Plans those that compete again, at prices for what they compete for."""
        run = self.run
        group = self._competitors(missing)
        if len(group) < 3:
            return
        before = {number: self.placed[number] for number in group}
        notes = {number: _notes(one.job) for number, one in before.items()}
        for number in reversed(group):
            run.give_back(before[number])
        market = Market(self.capacity)
        for number in group:
            self._bid(market, before[number].ordered)
        turns = market.clear()
        turns += [number for number in group if number not in set(turns)]
        after = self._place_all(turns, before)
        market.close()
        self.prices = market.prices
        cheaper = sum(p.score for p in after.values()) < sum(p.score for p in before.values())
        if cheaper and not self._worse_off(after, before):
            self.placed.update(after)
            return
        for one in reversed(after.values()):
            run.give_back(one)
        for number in group:
            run.take(before[number])
            before[number].job.rejected, before[number].job.contended = notes[number]

    def _place_all(self, turns: list[int], before: dict[int, Placement]) -> dict[int, Placement]:
        """Plans orders again in turn; one that ends up worse off goes first next time."""
        for attempt in range(TRADE_ATTEMPTS):
            after = {number: self._plan_again(before[number]) for number in turns}
            worse = self._worse_off(after, before)
            if not worse or attempt == TRADE_ATTEMPTS - 1:
                break
            for one in reversed(after.values()):
                self.run.give_back(one)
            turns = worse + [number for number in turns if number not in worse]
        return after

    def _worse_off(self, after: dict[int, Placement], before: dict[int, Placement]) -> list[int]:
        """Orders with more units open than before, or as many but more substitutes."""
        return [n for n, one in after.items() if one.missed_units > before[n].missed_units]

    def _competitors(self, missing: dict[int, Miss]) -> list[int]:
        """The orders that miss something, and those that hold it."""
        found = set(missing)
        for number, miss in missing.items():
            one = self.placed[number]
            for k, node in miss.shelves:
                for need in one.job.bundles[k].needs:
                    found |= need.column.users.get(node, set())
            for node in miss.places:
                found |= self.capacity.at[node]
        return [n for n, one in self.placed.items() if n in found and one.is_traded]

    def _bid(self, market: Market, ordered: Job) -> None:
        """Brings an order's plans to the market; one that cannot be filled stays away."""
        search = self.run.search(ordered, kept=PLANS_BID, best=BEST_BID)
        job = search.job
        plans: list[tuple[int, Takes]] = []
        for score, _, _, pieces in [] if search.partial else search.plans:
            takes: Takes = {}
            for node, k, quantity in pieces:
                for need in job.bundles[k].needs:
                    shelf = market.shelf(need.column, node)
                    takes[shelf] = takes.get(shelf, 0) + need.units * quantity
                place = market.places(node, search.view.leave[node])
                if place is not None:
                    takes[place] = 1
            plans.append((score, takes))
        if plans:
            market.bid(job.number, plans)

    def _ask(self, mine: Placement, miss: Miss) -> bool:
        """Tries to better one order by an exchange; says whether it did."""
        run = self.run
        run.give_back(mine)
        now = Accountant(mine.search).score(mine.pieces)
        wish = self._wish(mine, miss)
        run.take(mine)
        gain = now - wish.plans[0][0] if wish.plans else 0
        if gain <= 0:
            return False
        holders = self._holders(wish, gain)[: self.limits.joint_trials]
        return any(self._exchange(mine, self.placed[other]) for other in holders)

    def _wish(self, mine: Placement, miss: Miss) -> Search:
        """What the order would choose had no other taken what it misses; asked while it holds
        nothing itself."""
        lent: list[tuple[Column, int, int]] = []
        for k, node in miss.shelves:
            for need in mine.job.bundles[k].needs:
                units = need.column.taken.get(node, 0)
                if units:
                    need.column.left[node] += units
                    need.column.taken[node] = 0
                    lent.append((need.column, node, units))
        days = [(node, day) for node in miss.places for day in self.capacity.lend(node)]
        notes = _notes(mine.ordered)
        wish = self.run.search(mine.ordered)
        mine.ordered.rejected, mine.ordered.contended = notes
        for node, day in days:
            self.capacity.claim_back(node, day)
        for column, node, units in lent:
            column.left[node] -= units
            column.taken[node] = units
        return wish

    def _holders(self, wish: Search, gain: int) -> list[int]:
        """Orders that hold what the wish needs and could move for less than the gain, first those
        that lose least."""
        holders: set[int] = set()
        wanted, job = set(), wish.job
        for node, k, quantity in wish.plans[0][3]:
            wanted.add(node)
            for need in job.bundles[k].needs:
                if need.column.left.get(node, 0) < need.units * quantity:
                    holders |= need.column.users.get(node, set())
            if node in self.capacity.squeezed:
                holders |= self.capacity.at[node]
        holders.discard(job.number)
        movable = [other for other in holders if self.placed[other].is_traded]
        regrets = [(_regret(self.placed[other], wanted), other) for other in movable]
        return [other for regret, other in sorted(regrets) if regret < gain]

    def _exchange(self, mine: Placement, other: Placement) -> bool:
        """Plans mine first and the other after it, and keeps that if the two are cheaper."""
        run = self.run
        run.give_back(mine)
        run.give_back(other)
        before = Accountant(other.search).score(other.pieces)
        run.take(other)
        before += Accountant(mine.search).score(mine.pieces)
        run.give_back(other)
        notes = _notes(mine.job), _notes(other.job)
        new_mine = self._plan_again(mine)
        new_other = self._plan_again(other)
        if (
            new_mine.score + new_other.score < before
            and new_mine.missed_units <= mine.missed_units
            and new_other.missed_units <= other.missed_units
        ):
            self.placed[mine.job.number] = new_mine
            self.placed[other.job.number] = new_other
            return True
        run.give_back(new_other)
        run.give_back(new_mine)
        (
            (mine.job.rejected, mine.job.contended),
            (other.job.rejected, other.job.contended),
        ) = notes
        run.take(other)
        run.take(mine)
        return False

    def _plan_again(self, old: Placement) -> Placement:
        placement = self.run.place(old.ordered, self.run.search(old.ordered))
        before, after = old.decision, placement.decision
        delta = after.chosen.total_minor + after.chosen.penalty_minor
        delta -= before.chosen.total_minor + before.chosen.penalty_minor
        placement.decision = msgspec.structs.replace(
            after, joint_delta_minor=before.joint_delta_minor + delta
        )
        return placement


def _notes(job: Job) -> tuple[dict[int, list[int]], list[tuple[int, int]]]:
    return job.rejected, job.contended


def _regret(placement: Placement, wanted: set[int]) -> int:
    """How much dearer the order's best plan without the wanted nodes was when it was planned."""
    plans = placement.search.plans
    if not plans:
        return UNKNOWN_REGRET
    for plan in plans[1:]:
        if all(node not in wanted for node, _, _ in plan[3]):
            return plan[0] - plans[0][0]
    # The kept plans all want them too: it loses at least as much as with the last.
    return plans[-1][0] - plans[0][0]
