"""What is raised when nothing of an input can be used.

SettingRefused
└── UnusableInput        the file or folder as a whole; a single bad row is a Reject
"""

from __future__ import annotations

from crossdock.kernel.errors import SettingRefused


class UnusableInput(SettingRefused):
    """The file or folder cannot be read as anything known."""
