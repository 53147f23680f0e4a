"""The embedded PostgreSQL: a real server that starts with Crossdock and stops with its last user.

    with postgres.serve() as server:
        connection = db.connect(server.url)

A data folder has at most one server. Each process that uses it is an owner; owners share the
server, and when the last one leaves, or is killed, the server stops. See `launcher`.
"""

from crossdock.postgres.binaries import Binaries, BinariesInFolder, BinariesOfWheel, find_binaries
from crossdock.postgres.launcher import Server, running_url, serve

__all__ = [
    "Binaries",
    "BinariesInFolder",
    "BinariesOfWheel",
    "Server",
    "find_binaries",
    "running_url",
    "serve",
]
