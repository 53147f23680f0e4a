"""The joint view of a batch: orders that were planned in sequence exchange what both wanted.

An order that lost the units or the capacity of its best plan to others of the batch asks: if one
of them took its next best plan, would the two together be cheaper? The exchange is made only if
they are, and only if neither has more units left open than before. The orders asked first are
those whose next best plan costs least more. Rounds and trials are counted, so a re-run is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from crossdock.sourcing.eligibility import CAPACITY
from crossdock.sourcing.jobs import Job, Piece
from crossdock.sourcing.model import Decision
from crossdock.sourcing.records import Accountant
from crossdock.sourcing.search import Search
from crossdock.sourcing.state import Column, LotTakes

if TYPE_CHECKING:
    from crossdock.sourcing.run import Run

UNKNOWN_REGRET = 1 << 60


class Placement:
    """An order's plan, and what was taken for it."""

    __slots__ = ("days", "decision", "job", "pieces", "search", "takes")

    def __init__(self, job: Job, search: Search, decision: Decision) -> None:
        self.job = job
        self.search = search
        self.decision = decision
        self.pieces: tuple[Piece, ...] = search.plans[0][3] if search.plans else ()
        self.days: dict[int, int] = {}
        """By node, the ordinal of the day it leaves."""
        self.takes: list[tuple[Column, int, int, LotTakes]] = []

    @property
    def open_units(self) -> int:
        """Units without a node."""
        return sum(line.quantity for line in self.decision.chosen.unfilled)


class Joint:
    """Betters the placements of one batch."""

    def __init__(self, run: Run, placed: dict[int, Placement]) -> None:
        self.run = run
        self.placed = placed
        self.capacity = run.state.capacity

    def improve(self) -> None:
        """Lets every order that missed something ask the others, in the sequence of the batch."""
        waiting = [number for number, one in self.placed.items() if self._contended(one)]
        for _ in range(self.run.policy.search.joint_rounds):
            waiting = [number for number in waiting if self._ask(number)]
            if not waiting:
                return

    def _contended(self, placement: Placement) -> bool:
        if placement.job.contended:
            return True
        full = placement.job.rejected.get(CAPACITY)
        squeezed = self.capacity.squeezed
        return bool(full and squeezed and not squeezed.isdisjoint(full))

    def _ask(self, number: int) -> bool:
        """Tries to better one order; says whether it makes sense to ask again."""
        run, mine = self.run, self.placed[number]
        run.give_back(mine)
        now = Accountant(mine.search).score(mine.pieces)
        wish = self._wish(mine)
        run.take(mine)
        if wish is None or wish.plans[0][0] >= now:
            return False
        gain = now - wish.plans[0][0]
        holders = self._holders(mine.job, wish, gain)[: run.policy.search.joint_trials]
        return any(self._exchange(mine, self.placed[other]) for other in holders)

    def _wish(self, mine: Placement) -> Search | None:
        """What the order would choose if no other order of the batch had taken anything it wants;
        to be asked while it holds nothing itself."""
        run, job = self.run, mine.job
        lent: list[tuple[Column, int, int]] = []
        for k, node in dict.fromkeys(job.contended):
            for need in job.bundles[k].needs:
                units = need.column.taken.get(node, 0)
                if units:
                    need.column.left[node] += units
                    need.column.taken[node] = 0
                    lent.append((need.column, node, units))
        days = [(node, day) for node in self._full(job) for day in self.capacity.lend(node)]
        rejected, contended = job.rejected, job.contended
        job.contended = []
        wish = run.search(job)
        job.rejected, job.contended = rejected, contended
        for node, day in days:
            self.capacity.claim_back(node, day)
        for column, node, units in lent:
            column.left[node] -= units
            column.taken[node] = units
        return wish if wish.plans else None

    def _full(self, job: Job) -> list[int]:
        full = job.rejected.get(CAPACITY, ())
        return sorted(self.capacity.squeezed.intersection(full))

    def _holders(self, job: Job, wish: Search, gain: int) -> list[int]:
        """Orders that hold what the wish needs, and could move for less than the gain."""
        holders: set[int] = set()
        wanted: dict[int, int] = {}
        for node, k, quantity in wish.plans[0][3]:
            wanted[node] = k
            for need in job.bundles[k].needs:
                if need.column.left.get(node, 0) < need.units * quantity:
                    holders |= need.column.users.get(node, set())
        for node in wanted:
            if node in self.capacity.squeezed:
                holders |= self.capacity.at[node]
        holders.discard(job.number)
        regrets = []
        for other in holders:
            regret = _regret(self.placed[other], wanted)
            if regret < gain:
                regrets.append((regret, other))
        return [other for _, other in sorted(regrets)]

    def _exchange(self, mine: Placement, other: Placement) -> bool:
        """Plans mine first and the other after it, and keeps that if the two are cheaper."""
        run = self.run
        run.give_back(mine)
        run.give_back(other)
        before = Accountant(other.search).score(other.pieces)
        run.take(other)
        before += Accountant(mine.search).score(mine.pieces)
        run.give_back(other)
        mine_open, other_open = mine.open_units, other.open_units
        kept = (mine.job.rejected, mine.job.contended, other.job.rejected, other.job.contended)
        new_mine = self._plan_again(mine)
        score = _score(new_mine)
        new_other = self._plan_again(other)
        score += _score(new_other)
        if (
            score < before
            and new_mine.open_units <= mine_open
            and new_other.open_units <= other_open
        ):
            self.placed[mine.job.number] = new_mine
            self.placed[other.job.number] = new_other
            return True
        run.give_back(new_other)
        run.give_back(new_mine)
        mine.job.rejected, mine.job.contended, other.job.rejected, other.job.contended = kept
        run.take(other)
        run.take(mine)
        return False

    def _plan_again(self, old: Placement) -> Placement:
        old.job.contended = []
        placement = self.run.place(old.job, self.run.search(old.job))
        before, after = old.decision, placement.decision
        delta = after.chosen.total_minor + after.chosen.penalty_minor
        delta -= before.chosen.total_minor + before.chosen.penalty_minor
        placement.decision = msgspec.structs.replace(
            after, joint_delta_minor=before.joint_delta_minor + delta
        )
        return placement


def _score(placement: Placement) -> int:
    if placement.search.plans:
        return placement.search.plans[0][0]
    search = placement.search
    return sum(
        search.open_score(k) * bundle.quantity for k, bundle in enumerate(placement.job.bundles)
    )


def _regret(placement: Placement, wanted: dict[int, int]) -> int:
    """How much dearer the order's best plan without the wanted nodes was when it was planned."""
    plans = placement.search.plans
    if not plans:
        return UNKNOWN_REGRET
    for plan in plans[1:]:
        if all(node not in wanted for node, _, _ in plan[3]):
            return plan[0] - plans[0][0]
    # The kept plans all want it too: at least as dear as the last of them.
    return plans[-1][0] - plans[0][0]
