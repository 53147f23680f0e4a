"""Hard filters: may this node take part at all, and if not, why.

Three layers, from what changes least: the node for an order's profile (computed once and kept),
its calendar and capacity (once a batch, in `state`), the product at the node (only for products
that have rules of their own). A reason is the first in the order of `Reason` that applies.
"""

from __future__ import annotations

from typing import NamedTuple

from crossdock.sourcing.freight import FreightBook
from crossdock.sourcing.model import NodeFacts, Reason, SkuFacts
from crossdock.sourcing.network import Network
from crossdock.sourcing.policy import MethodRule, SourcingPolicy, Step

REASONS: tuple[Reason | None, ...] = (None, *Reason)
"""By code: 0 takes part, the others count up in order of precedence."""
CODE: dict[Reason, int] = {reason: i for i, reason in enumerate(REASONS) if reason is not None}

EXCLUDED = CODE[Reason.EXCLUDED]
DISTANCE = CODE[Reason.DISTANCE]
CLOSED = CODE[Reason.CLOSED]
CAPACITY = CODE[Reason.CAPACITY]
LATE = CODE[Reason.LATE]
SHELF_LIFE = CODE[Reason.SHELF_LIFE]
NO_STOCK = CODE[Reason.NO_STOCK]
TAKEN = CODE[Reason.TAKEN]
MARGIN_FLOOR = CODE[Reason.MARGIN_FLOOR]
NOT_NEAREST = CODE[Reason.NOT_NEAREST]
SPLIT_RULE = CODE[Reason.SPLIT_RULE]

FAR = 255
"""Zone of a node beyond the distance limit."""

_ANY_METHOD = MethodRule()


class Profile(NamedTuple):
    """What orders must share to see the same nodes."""

    method: str
    service: str
    country: str
    brand: str
    legal_entity: str
    step: int


def method_rule(policy: SourcingPolicy, method: str) -> MethodRule:
    """The policy's rule for a method; a method it does not name has no special demands."""
    return policy.methods.get(method, _ANY_METHOD)


def node_mask(
    network: Network, policy: SourcingPolicy, book: FreightBook, profile: Profile
) -> bytes:
    """Reason codes of all nodes for a profile; distance, calendar and capacity are not in it."""
    rule = method_rule(policy, profile.method)
    step = policy.steps[profile.step]
    abroad = not rule.freight or book.goes_abroad(profile.service)
    return bytes(
        _node_code(node, policy, step, profile, rule.capability, abroad) for node in network.nodes
    )


def _node_code(
    node: NodeFacts,
    policy: SourcingPolicy,
    step: Step,
    profile: Profile,
    capability: str,
    abroad: bool,
) -> int:
    if not node.active or profile.method not in node.methods:
        return CODE[Reason.NODE_OFF]
    if not _in_group(node, policy, step, profile.brand):
        return CODE[Reason.GROUP]
    if capability and capability not in node.capabilities:
        return CODE[Reason.CAPABILITY]
    if not _lane_open(node, policy, profile, abroad):
        return CODE[Reason.LANE]
    if node.currency not in ("", policy.currency):
        return CODE[Reason.CURRENCY]
    return 0


def _in_group(node: NodeFacts, policy: SourcingPolicy, step: Step, brand: str) -> bool:
    wanted = policy.candidates
    if wanted.kinds and node.kind not in wanted.kinds:
        return False
    if step.kinds and node.kind not in step.kinds:
        return False
    if wanted.groups and not set(wanted.groups) & set(node.groups):
        return False
    if set(wanted.exclude_groups) & set(node.groups):
        return False
    return not (brand and node.brands and brand not in node.brands)


def _lane_open(node: NodeFacts, policy: SourcingPolicy, profile: Profile, abroad: bool) -> bool:
    lanes = policy.lanes
    if profile.country and node.country != profile.country and not (lanes.cross_border and abroad):
        return False
    selling, operating = profile.legal_entity, node.legal_entity
    if selling and operating and selling != operating and not lanes.cross_entity:
        return (selling, operating) in lanes.entity_pairs
    return True


def has_rules(facts: SkuFacts) -> bool:
    """The product needs `product_code`, lots or parts: most products do not."""
    return bool(
        facts.dangerous_goods
        or facts.shelf_life_days is not None
        or facts.max_transit_days is not None
        or facts.requires
        or facts.methods
        or facts.node_groups
        or facts.blocked_nodes
        or facts.owner
        or facts.ships_alone
    )


def product_code(
    facts: SkuFacts,
    node: NodeFacts,
    policy: SourcingPolicy,
    profile: Profile,
    transit_days: int,
) -> int:
    """Why this product may not leave this node for this order, as a reason code; 0 if it may."""
    if not set(facts.requires) <= set(node.capabilities):
        return CODE[Reason.CAPABILITY]
    if (
        (facts.methods and profile.method not in facts.methods)
        or (facts.node_groups and not set(facts.node_groups) & set(node.groups))
        or node.code in facts.blocked_nodes
    ):
        return CODE[Reason.PRODUCT]
    if facts.owner and node.legal_entity != facts.owner:
        return CODE[Reason.LANE]
    if _dangerous(facts, node, policy, profile):
        return CODE[Reason.DANGEROUS_GOODS]
    if facts.max_transit_days is not None and transit_days > facts.max_transit_days:
        return CODE[Reason.SHELF_LIFE]
    return 0


def _dangerous(facts: SkuFacts, node: NodeFacts, policy: SourcingPolicy, profile: Profile) -> bool:
    rules = policy.dangerous_goods
    if not facts.dangerous_goods or facts.dangerous_goods in rules.exempt:
        return False
    return (
        (bool(rules.capability) and rules.capability not in node.capabilities)
        or profile.service in rules.barred_services
        or profile.method in rules.barred_methods
        or (not rules.cross_border and bool(profile.country) and node.country != profile.country)
    )
