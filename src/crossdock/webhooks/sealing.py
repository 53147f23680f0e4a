"""Secrets of webhooks as they are stored: encrypted with payloads.keys, readable without."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from crossdock.ordering.payloads import listed_keys
from crossdock.webhooks.model import MARK


class SecretKeeper:
    """Encrypts with the first key and reads with all; what is stored readable it reads as it is."""

    def __init__(self, keys: str = "") -> None:
        """Raises SettingRefused for what is no Fernet key."""
        listed = [Fernet(key) for key in listed_keys(keys)]
        self._first = listed[0] if listed else None
        self._all = MultiFernet(listed) if listed else None

    def sealed(self, secret: str) -> str:
        """As it is to be stored."""
        return self._first.encrypt(secret.encode()).decode() if self._first else secret

    def opened(self, stored: str) -> str | None:
        """The secret; None where its key is gone."""
        if stored.startswith(MARK):
            return stored
        try:
            return self._all.decrypt(stored.encode()).decode() if self._all else None
        except InvalidToken:
            return None

    def renewed(self, stored: str) -> str:
        """As it would be stored now, under the first key; as it is where its key is gone."""
        if self._first is None:
            return stored
        try:
            self._first.decrypt(stored.encode())
            return stored
        except InvalidToken:
            secret = self.opened(stored)
            return stored if secret is None else self.sealed(secret)
