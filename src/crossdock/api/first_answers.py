"""The first answer again, for writes that are no messages and for answers about many items.

The answer is kept beside the content that it answered, and forgotten with it after
engine.dedupe_body_days. One that holds a secret is sealed with what nobody keeps: the credential
and the Idempotency-Key that were sent. Whoever sends both again can open it; whoever has the
database cannot.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b
from typing import Any, Protocol, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from litestar import Response
from litestar.concurrency import sync_to_thread

from crossdock.api.idempotency import ANSWER_GONE, REPLAYED, identity, was_done_before
from crossdock.api.problems import UNAVAILABLE, ApiProblem
from crossdock.api.requests import TypedRequest
from crossdock.api.services import Backend
from crossdock.db import Connection
from crossdock.engine import store
from crossdock.engine.inbox import Content, Received, content_of, take_once

T = TypeVar("T")

_NONCE_BYTES = 12


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """An answer as it is stored, in MessagePack."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_sealed: bool


def write_once(
    request: TypedRequest,
    backend: Backend,
    key: str | None,
    write: Callable[[Connection], Response[T]],
    sent: object = None,
    *,
    secret: bool = False,
) -> Response[T]:
    """Write in one transaction with the answer, or give the answer that the key got before.

    `sent` is the body; path and query count as content too. A refusal (what `write` raises) is not
    kept: nothing was done. With `secret` the answer is sealed. Raises ApiProblem 409 for other
    content, and where the answer cannot be given again.
    """
    with backend.writing() as connection:
        if key is None:
            answer = write(connection)
        else:
            content = _content(request, key, sent)
            [receipt] = take_once(connection, [content], backend.clock.now())
            if was_done_before(receipt):
                _, kept = store.answer_of(connection, content.hash) or (b"", None)
                return _again(request, key, content, kept)
            answer = write(connection)
            _keep(connection, request, key if secret else "", content, answer)
        connection.commit()
    return answer


async def answer_once(
    request: TypedRequest,
    backend: Backend,
    key: str | None,
    answer: Callable[[], Awaitable[T]],
    lasts: Callable[[T], bool],
) -> Response[T]:
    """For many items, each of which is taken once by itself: the whole answer that the key got.

    With other content each item says for itself whether it differs. An answer that does not last,
    because an item should be sent again as it is, is not kept.
    """
    if key is None:
        return Response(await answer())
    digest = blake2b(await request.body(), digest_size=16).digest()
    content = _content(request, key, digest)
    kept = await sync_to_thread(_read, backend, request, key, content)
    if kept is not None:
        return kept
    response = Response(await answer())
    if lasts(response.content):
        await sync_to_thread(_note, backend, request, content, response)
    return response


class _Result(Protocol):
    @property
    def code(self) -> str: ...


class _Results(Protocol):
    @property
    def results(self) -> Sequence[_Result]: ...


def lasting(answer: _Results) -> bool:
    """Whether no item is to be sent again as it is."""
    return all(result.code != UNAVAILABLE.code for result in answer.results)


def was_noted(request: TypedRequest, backend: Backend, key: str) -> bool:
    """Whether a write of `write_once` was done under that key, with whatever content."""
    with backend.reading() as connection:
        return store.answer_of(connection, _content(request, key, None).hash) is not None


def _content(request: TypedRequest, key: str, sent: object) -> Content:
    """What the key stands for: the operation is part of its name, all else is content."""
    operation = f"{request.method} {request.scope['path_template']}"
    fields = {name: str(value) for name, value in request.path_params.items()}
    fields |= {name: str(value) for name, value in request.query_params.items()}
    body = msgspec.to_builtins(sent) if isinstance(sent, msgspec.Struct) else {"body": sent}
    name = identity(request.caller, operation, key, "")
    try:
        return content_of(*name, operation, fields | body)
    except OverflowError:  # A number that no field takes: no field can be named either.
        return content_of(*name, operation, fields | {"body": repr(sent)})


def _keep(
    connection: Connection, request: TypedRequest, key: str, content: Content, answer: Response[T]
) -> None:
    """With a key the body is sealed."""
    status = answer.status_code or request.route_handler.status_code
    body = b"" if answer.content is None else msgspec.json.encode(answer.content)
    if key:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        body = nonce + _cipher(request, key, content).encrypt(nonce, body, content.hash)
    kept = _Kept(status, dict(answer.headers), body, bool(key))
    store.save_answer(connection, content.hash, msgspec.msgpack.encode(kept))


def _again(
    request: TypedRequest, key: str, content: Content, stored: bytes | None
) -> Response[Any]:
    """The answer of content that is the same. Raises ApiProblem 409 where there is none."""
    if stored is None:
        raise ApiProblem(ANSWER_GONE, "It is older than engine.dedupe_body_days.")
    kept = msgspec.msgpack.decode(stored, type=_Kept)
    body = _opened(request, key, content, kept.body) if kept.is_sealed else kept.body
    return Response(
        body or None,
        status_code=kept.status,
        headers={**kept.headers, **REPLAYED},
        media_type="application/json",
    )


def _opened(request: TypedRequest, key: str, content: Content, body: bytes) -> bytes:
    nonce, rest = body[:_NONCE_BYTES], body[_NONCE_BYTES:]
    try:
        return _cipher(request, key, content).decrypt(nonce, rest, content.hash)
    except InvalidTag as other:
        said = "It holds a secret, and was given to another credential of this client."
        raise ApiProblem(ANSWER_GONE, said) from other


def _cipher(request: TypedRequest, key: str, content: Content) -> AESGCM:
    """A cipher that only who sends this credential and key can have (RFC 5869, SP 800-38D)."""
    credential = request.headers["authorization"].partition(" ")[2].strip()
    derivation = HKDF(SHA256(), length=32, salt=content.hash, info=b"crossdock first answer")
    return AESGCM(derivation.derive(f"{credential}\n{key}".encode()))


def _read(
    backend: Backend, request: TypedRequest, key: str, content: Content
) -> Response[Any] | None:
    with backend.reading() as connection:
        fingerprint, kept = store.answer_of(connection, content.hash) or (b"", None)
    if kept is None or fingerprint != content.fingerprint:
        return None
    return _again(request, key, content, kept)


def _note(backend: Backend, request: TypedRequest, content: Content, response: Response[T]) -> None:
    with backend.writing() as connection:
        [receipt] = take_once(connection, [content], backend.clock.now())
        if receipt.result is Received.ACCEPTED:
            _keep(connection, request, "", content, response)
            connection.commit()
