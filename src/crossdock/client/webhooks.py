"""For receivers of webhooks: is it ours, and what does it say?"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import standardwebhooks

from crossdock.client.model import Event


class Refused(Exception):
    """It is not signed with that secret, or too old: answer 400 and do nothing."""


def verify(secret: str, headers: Mapping[str, str], body: bytes) -> Event:
    """The event, if its signature is right and not over five minutes old. Raises Refused."""
    try:
        standardwebhooks.Webhook(secret).verify(body, dict(headers), json_parse=False)
    except (standardwebhooks.WebhookVerificationError, ValueError) as error:
        raise Refused(str(error)) from error
    return msgspec.json.decode(body, type=Event)
