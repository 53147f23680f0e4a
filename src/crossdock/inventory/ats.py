"""Available to sell: one definition for every channel.

    node ATS(channel, method)  max(0, sellable - reserved - safety stock - buffer), 0 where node,
                               product, channel or method is off; a pickup also takes off the
                               pickups queued at the store
    network ATS                max(0, sum of node ATS - demand without a node - channel threshold)
    kits                       floor over components per node, then summed

Network ATS reads running totals, so its cost does not grow with the number of nodes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from crossdock.engine.transaction import Transaction
from crossdock.inventory import ats_store, rules
from crossdock.inventory.ats_store import ChannelTerms, Offer
from crossdock.inventory.reservations.book import ReservationBook
from crossdock.inventory.store import StockBook

METHOD_BITS = {"ship": 1, "pickup": 2, "ship_to_store": 4, "local_delivery": 8, "digital": 16}
"""The same bits as method_bits() in the database."""


def network_ats(
    tx: Transaction, channel: str, method: str, skus: Collection[str]
) -> dict[str, int]:
    """Units of each SKU the channel may sell by the method now; 0 for what it may not sell.

    What this batch did already counts, written or not.
    """
    result = dict.fromkeys(skus, 0)
    terms = ats_store.channel_terms(tx, channel, method)
    if not terms.open or not result:
        return result
    offers = ats_store.offers(tx, channel, terms, method, sorted(result))
    open_offers = [offer for offer in offers if offer.open]
    kits = [offer for offer in open_offers if offer.is_kit]
    if kits:
        result.update(_of_kits(tx, kits, method, terms))
    pending = tx.book(StockBook).pending_available(METHOD_BITS[method], terms.zones)
    promised = tx.book(ReservationBook).newly_queued
    for offer in open_offers:
        if not offer.is_kit:
            of_nodes = offer.of_nodes + pending.get(offer.sku, 0)
            queued = offer.without_node + promised.get(offer.sku, 0)
            result[offer.sku] = rules.network_ats(of_nodes, queued, offer.threshold)
    return result


def _of_kits(
    tx: Transaction, offers: Sequence[Offer], method: str, terms: ChannelTerms
) -> dict[str, int]:
    """Whole kits, less those the queued demand for them or for their scarcest component takes."""
    names = [offer.sku for offer in offers]
    made = dict.fromkeys(names, 0)
    for kit, _, units in ats_store.kits_at_nodes(tx, names, method, terms.zones):
        made[kit] += units
    taken = ats_store.components_queued(tx, names)
    return {
        offer.sku: rules.network_ats(
            made[offer.sku], offer.without_node + taken.get(offer.sku, 0), offer.threshold
        )
        for offer in offers
    }


def node_ats(
    tx: Transaction, channel: str, method: str, skus: Collection[str]
) -> dict[str, dict[str, int]]:
    """Units of each SKU at each node for the channel and method; nodes that are off are left out.

    A pickup's are less those queued at the store.
    """
    result: dict[str, dict[str, int]] = {sku: {} for sku in skus}
    terms = ats_store.channel_terms(tx, channel, method)
    if not terms.open or not result:
        return result
    offers = ats_store.offers(tx, channel, terms, method, sorted(result))
    kits = [offer.sku for offer in offers if offer.open and offer.is_kit]
    goods = [offer.sku for offer in offers if offer.open and not offer.is_kit]
    if kits:
        for sku, node, units in sorted(ats_store.kits_at_nodes(tx, kits, method, terms.zones)):
            result[sku][node] = units
    if goods:
        for sku, node, available, queued in ats_store.at_nodes(tx, goods, method, terms.zones):
            result[sku][node] = max(0, available - (queued if method == "pickup" else 0))
    return result
