"""Structured logs: one JSON object a line (or one readable line), without secrets or personal data.

Code logs ids and counts, never names, addresses or what others sent. Should a text carry some all
the same (an error that quotes its input), what looks like a secret or like a person is taken out.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import WrappedLogger

GONE = "[removed]"

_SECRET_FIELDS = re.compile(
    r"pass(word|wd)|secret|token|authorization|cookie|api_?key|credential|signature", re.IGNORECASE
)
_PERSONAL_FIELDS = frozenset(
    {"address", "birthday", "city", "email", "family_name", "given_name", "ip", "name", "phone"}
    | {"postal_code", "recipient", "street"}
)
_IN_TEXT = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<=://)[^/\s:@]*:[^/\s@]*(?=@)",  # user:password of a URL
        r"(?i)(?<=bearer )[^\s\"',;]+",
        r"(?i)(?<=password=)[^\s\"',;&]+",
        r"crossdock_(live|test)_[A-Za-z0-9_-]{8,}",  # a key of ours
        r"whsec_[A-Za-z0-9+/=]{8,}",  # the secret of a webhook
        r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",  # a JWT
        r"[\w.+'-]+@[\w-]+(\.[\w-]+)+",  # an e-mail address
        # A card number is 13 to 19 digits; a UUID's groups are never so long.
        r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])",
        r"(?<![\w.:+-])\+\d(?:[ ./()-]{0,2}\d){6,14}(?!\w)",  # a phone number
    )
)

Event = MutableMapping[str, Any]


def configure(form: str = "auto", level: str = "info", stream: TextIO | None = None) -> None:
    """Once per process. `form` is json, text, or auto: text on a terminal, json elsewhere."""
    stream = stream or sys.stderr
    if form == "auto":
        form = "text" if stream.isatty() else "json"
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            without_secrets,
            _as_json if form == "json" else structlog.dev.ConsoleRenderer(colors=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


def without_secrets(_: WrappedLogger, __: str, event: Event) -> Event:
    """A structlog processor: takes out what no log may hold, by field name and by looks."""
    return {key: _clean(key, value) for key, value in event.items()}


def _clean(key: str, value: object) -> object:
    if key in _PERSONAL_FIELDS or _SECRET_FIELDS.search(key):
        return GONE if value not in (None, "") else value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, Mapping):
        return {str(inner): _clean(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", item) for item in value]
    return value


def clean_text(text: str) -> str:
    """A text without what looks like a secret or like a person's data."""
    for pattern in _IN_TEXT:
        text = pattern.sub(GONE, text)
    return text


_encode = msgspec.json.Encoder(enc_hook=str).encode


def _as_json(_: WrappedLogger, __: str, event: Event) -> str:
    return _encode(event).decode()
