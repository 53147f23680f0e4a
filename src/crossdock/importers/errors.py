"""What is raised when an import as a whole cannot go on.

SettingRefused
└── UnusableInput        the file or folder as a whole; a single bad row is a Reject
Fault
└── NoRoomToImport       the folder for temporary files is full or closed        (retryable)
"""

from __future__ import annotations

from crossdock.kernel.errors import Fault, SettingRefused


class UnusableInput(SettingRefused):
    """The file or folder cannot be read as anything known."""


class NoRoomToImport(Fault):
    """The folder for temporary files is full or closed."""

    retryable = True
