"""`python -m crossdock` is the command line too."""

from crossdock.cli.main import app

app(prog_name="crossdock")
