"""Simulated people keep hours, queue for hands, and do the same whoever is asked first."""

from __future__ import annotations

from datetime import UTC, datetime, time

from crossdock.model.messages import (
    FulfillmentAccepted,
    FulfillmentShipped,
    ItemsPacked,
    ItemsPicked,
    LineQuantity,
    RecallAnswered,
    ShipmentDelivered,
)
from crossdock.simulator.agenda import Agenda
from crossdock.simulator.carriers import CarrierHabits, Carriers, kilometers
from crossdock.simulator.chance import Chance
from crossdock.simulator.hours import CutOff, Hours
from crossdock.simulator.staff import Parcel, Place, Recall, Staff, StaffHabits, Work

WEEKDAYS = dict.fromkeys(range(1, 6), ((time(9), time(17)),))
NEW_YORK = Hours("America/New_York", WEEKDAYS, cut_offs=(CutOff(frozenset({1, 3}), time(16)),))
RELIABLE = StaffHabits(decline_probability=0.0, silence_probability=0.0)
FRIDAY_EVENING = datetime(2026, 11, 6, 23, 0, tzinfo=UTC).timestamp()
"""18:00 in New York, an hour after closing."""


def place(failure: float = 0.0, hours: Hours = NEW_YORK) -> Place:
    return Place("S1", "store", hours, 60, failure, 40.7, -74.0)


def work(number: int = 1) -> Work:
    lines = (LineQuantity(1, 2), LineQuantity(2, 1))
    name = f"00000000-0000-8000-8000-{number:012d}"
    return Work(name, "order-" + name, "S1", "standard", 41.0, -75.0, lines)


def a_staff(
    at: Place | None = None, habits: StaffHabits = RELIABLE
) -> tuple[Staff, Agenda, list[Parcel]]:
    agenda, parcels = Agenda(), list[Parcel]()
    return Staff({"S1": at or place()}, Chance(7), agenda, parcels.append, habits), agenda, parcels


def test_a_closed_store_begins_when_it_opens_on_monday() -> None:
    opens = datetime(2026, 11, 9, 14, 0, tzinfo=UTC).timestamp()
    assert NEW_YORK.first_open(FRIDAY_EVENING) == opens
    assert NEW_YORK.after(FRIDAY_EVENING, 9 * 3600) == opens + 25 * 3600


def test_opening_hours_follow_the_change_of_the_clock() -> None:
    summer = datetime(2026, 10, 31, 12, 0, tzinfo=UTC).timestamp()
    assert NEW_YORK.first_open(summer) == datetime(2026, 11, 2, 14, 0, tzinfo=UTC).timestamp()


def test_a_pickup_is_on_a_day_the_carrier_comes() -> None:
    tuesday = datetime(2026, 11, 10, 15, 0, tzinfo=UTC).timestamp()
    assert NEW_YORK.next_pickup(tuesday) == datetime(2026, 11, 11, 21, 0, tzinfo=UTC).timestamp()


def test_a_service_leaves_with_its_own_pickups_and_those_of_every_service() -> None:
    pickups = (CutOff(frozenset({2}), time(12), "express"), CutOff(frozenset({2}), time(16)))
    hours = Hours("America/New_York", WEEKDAYS, cut_offs=pickups)
    tuesday = datetime(2026, 11, 10, 15, 0, tzinfo=UTC).timestamp()
    assert hours.next_pickup(tuesday, "express") == tuesday + 2 * 3600
    assert hours.next_pickup(tuesday, "standard") == tuesday + 6 * 3600


def test_work_is_accepted_picked_packed_and_shipped_in_that_order_within_opening_hours() -> None:
    staff, agenda, parcels = a_staff()
    staff.see([work()], FRIDAY_EVENING)
    told = agenda.due_by(FRIDAY_EVENING + 10 * 86400)
    kinds = [type(inbound.message) for inbound in told]
    assert kinds == [FulfillmentAccepted, ItemsPicked, ItemsPacked, FulfillmentShipped]
    assert all(inbound.occurred_at.astimezone(UTC).hour in range(14, 23) for inbound in told)
    assert len(parcels) == 1


def test_one_node_picks_one_after_the_other() -> None:
    staff, agenda, _ = a_staff()
    staff.see([work(2), work(1)], FRIDAY_EVENING)
    told = agenda.due_by(FRIDAY_EVENING + 10 * 86400)
    picks = [i.occurred_at.timestamp() for i in told if isinstance(i.message, ItemsPicked)]
    assert picks[1] - picks[0] >= 300.0


def test_what_staff_do_does_not_depend_on_the_order_in_which_work_is_listed() -> None:
    several = [work(n) for n in range(1, 30)]
    stories = []
    for listed in (several, several[::-1]):
        staff, agenda, _ = a_staff(place(0.3), StaffHabits())
        staff.see(listed, FRIDAY_EVENING)
        stories.append(agenda.due_by(FRIDAY_EVENING + 20 * 86400))
    assert stories[0] == stories[1]
    assert len({type(inbound.message) for inbound in stories[0]}) == 5


def test_short_and_picked_units_are_together_what_was_asked_for() -> None:
    staff, agenda, _ = a_staff(place(0.5))
    staff.see([work(n) for n in range(1, 60)], FRIDAY_EVENING)
    picked = [
        i.message
        for i in agenda.due_by(FRIDAY_EVENING + 40 * 86400)
        if isinstance(i.message, ItemsPicked)
    ]
    assert len(picked) == 59
    assert any(message.short for message in picked)
    for message in picked:
        units = sum(one.quantity for one in message.picked)
        assert units + sum(one.quantity for one in message.short) == 3


def test_a_recall_before_the_pick_gives_everything_back_and_nothing_ships() -> None:
    staff, agenda, parcels = a_staff()
    staff.see([work()], FRIDAY_EVENING)
    one = work()
    staff.recall([Recall(one.fulfillment_id, one.order_id, "S1", "r1", ())], FRIDAY_EVENING)
    told = agenda.due_by(FRIDAY_EVENING + 10 * 86400)
    answers = [i.message for i in told if isinstance(i.message, RecallAnswered)]
    assert [a.given_back for a in answers] == [(LineQuantity(1, 2), LineQuantity(2, 1))]
    assert not any(isinstance(i.message, FulfillmentShipped) for i in told)
    assert parcels == []


def test_a_recall_of_a_part_ships_the_rest() -> None:
    staff, agenda, _ = a_staff()
    staff.see([work()], FRIDAY_EVENING)
    one = work()
    lines = (LineQuantity(1, 1),)
    staff.recall([Recall(one.fulfillment_id, one.order_id, "S1", "r1", lines)], FRIDAY_EVENING)
    told = agenda.due_by(FRIDAY_EVENING + 10 * 86400)
    shipped = [i.message for i in told if isinstance(i.message, FulfillmentShipped)]
    assert shipped[0].packages[0].lines == (LineQuantity(1, 1), LineQuantity(2, 1))


def test_a_recall_after_shipping_gives_nothing_back() -> None:
    staff, agenda, parcels = a_staff()
    staff.see([work()], FRIDAY_EVENING)
    later = FRIDAY_EVENING + 10 * 86400
    agenda.due_by(later)
    one = work()
    staff.recall([Recall(one.fulfillment_id, one.order_id, "S1", "r1", ())], later)
    answers = [i.message for i in agenda.due_by(later + 5 * 86400)]
    assert [a.given_back for a in answers if isinstance(a, RecallAnswered)] == [()]
    assert len(parcels) == 1


def test_a_parcel_arrives_by_distance_and_never_on_a_sunday() -> None:
    agenda = Agenda()
    carriers = Carriers(Chance(1), agenda, CarrierHabits(0.0, 0.0))
    saturday = datetime(2026, 11, 7, 20, 0, tzinfo=UTC).timestamp()
    carriers.take(Parcel("o", "f", "s", "T1", "standard", saturday, place(), 40.9, -74.2))
    (told,) = agenda.due_by(saturday + 20 * 86400)
    assert isinstance(told.message, ShipmentDelivered)
    assert told.occurred_at.date().isoformat() == "2026-11-09"


def test_distance_is_that_of_the_great_circle() -> None:
    assert round(kilometers(40.7128, -74.0060, 34.0522, -118.2437)) == 3936


def test_a_draw_depends_on_seed_question_and_entity_alone() -> None:
    assert Chance(1).fraction("a", "x") == Chance(1).fraction("a", "x")
    draws = {Chance(s).fraction(w, e) for s in (1, 2) for w in "ab" for e in "xy"}
    assert len(draws) == 8
    mean = sum(Chance(3).fraction("a", str(n)) for n in range(4000)) / 4000
    assert 0.47 < mean < 0.53


def test_work_that_was_taken_away_is_neither_accepted_nor_shipped() -> None:
    staff, agenda, parcels = a_staff()
    staff.see([work()], FRIDAY_EVENING)
    later = FRIDAY_EVENING + 10 * 86400
    asked = staff.to_look_up(later)
    assert asked == [(work().order_id, work().fulfillment_id)]
    staff.look_up(asked, {})
    assert agenda.due_by(later) == []
    assert parcels == []


def test_units_the_books_lost_meanwhile_are_not_picked() -> None:
    staff, agenda, _ = a_staff()
    staff.see([work()], FRIDAY_EVENING)
    later = FRIDAY_EVENING + 10 * 86400
    staff.look_up(staff.to_look_up(later), {work().fulfillment_id: {1: 1, 2: 1}})
    told = agenda.due_by(later)
    [picked] = [i.message for i in told if isinstance(i.message, ItemsPicked)]
    assert picked.picked == (LineQuantity(1, 1), LineQuantity(2, 1))
    assert picked.short == ()
