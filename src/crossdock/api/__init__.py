"""The HTTP API: asynchronous at the edge, threads and plain psycopg inside."""
