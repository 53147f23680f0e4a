"""The terminal shows people's data as they are."""

from __future__ import annotations

import io

from rich.table import Table

from crossdock.cli.context import Terminal


def shown(thing: object) -> str:
    file = io.StringIO()
    Terminal(file=file, width=100).print(thing)
    return file.getvalue()


def test_brackets_and_colons_are_text_everywhere() -> None:
    table = Table("heading [/b]", title="title [bold]")
    table.add_row("expected list[int] :x: [/b]")
    text = shown(table)
    for expected in ("heading [/b]", "title [bold]", "expected list[int] :x: [/b]"):
        assert expected in text
    assert shown("a key called [/b] :x:") == "a key called [/b] :x:\n"


def test_what_would_take_over_a_terminal_is_a_dot() -> None:
    assert shown("mug\x1b[2J\r \u202etxt caf\udce9\nnext") == "mug·[2J· ·txt caf·\nnext\n"
    table = Table("name")
    table.add_row("mug\x1b]0;x\x07")
    assert "mug·]0;x·" in shown(table)
