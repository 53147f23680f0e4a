"""Crossdock: the coordination layer of an omnichannel retailer."""

if not __debug__:
    # Assertions are how a bug of ours stops before it becomes a wrong order or a wrong refund.
    raise ImportError(
        "crossdock does not run with assertions switched off: start Python without -O and without "
        "PYTHONOPTIMIZE"
    )

__version__ = "0.1.0"
