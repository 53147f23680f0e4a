"""Where the files beside the code are: in a checkout, or inside an installed wheel."""

import os
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).resolve().parent


def schema_folder() -> Path:
    """The folder with schema.sql, migrations/ and invariants/."""
    checkout = _PACKAGE.parent.parent / "schema"
    if (checkout / "migrations").is_dir():
        return checkout
    return _PACKAGE / "_schema"


def user_data_folder() -> Path:
    """The platform's folder for this user's data; root's home is closed to others, so not there.

    PostgreSQL refuses to run as root, and the account it then runs under could not enter /root.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/crossdock")
    return Path(platformdirs.user_data_path("crossdock", appauthor=False))
