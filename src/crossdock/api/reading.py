"""Pages for people: the documentation of the API, and its errors. None asks elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib.resources import files
from typing import Any

from litestar import MediaType, Request, Response, Router, get
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.params import FromPath

from crossdock.api.problems import CATALOG, NOT_FOUND, ApiProblem, ProblemType

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
dt { font-weight: 600; margin-top: 1rem; } dd { margin: 0; }
td, th { text-align: left; padding: .2rem 1rem .2rem 0; vertical-align: top; }
"""

ONLY_OURS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline';"
    " script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
}
"""The browser itself refuses every request to elsewhere."""


class DocumentationPage(OpenAPIRenderPlugin):
    """One page that reads /docs/openapi.json and shows it; requests can be tried from it."""

    def __init__(self) -> None:
        super().__init__(path="/")
        self._page = files("crossdock.api").joinpath("docs.html").read_bytes()

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The same for everybody."""
        return self._page


def plugins() -> list[OpenAPIRenderPlugin]:
    """What is served under /docs."""
    return [DocumentationPage(), JsonRenderPlugin(path="/openapi.json")]


@get("/problems", opt={"public": True}, media_type=MediaType.HTML, sync_to_thread=False)
def list_problems() -> Response[str]:
    """Every error that the API answers with, as a page for people."""
    rows = [
        f'<tr><td>{kind.status}</td><td><a href="/problems/{kind.code}"><code>{kind.code}</code>'
        f"</a></td><td>{escape(kind.title)}</td></tr>"
        for kind in sorted(CATALOG.values(), key=lambda kind: (kind.status, kind.code))
    ]
    return _page("Errors of the API", [f"<table>{''.join(rows)}</table>"])


@get("/problems/{code:str}", opt={"public": True}, media_type=MediaType.HTML, sync_to_thread=False)
def show_problem(code: FromPath[str]) -> Response[str]:
    """What one error means and what to do about it, as a page for people: a problem's `type`."""
    kind = CATALOG.get(code)
    if kind is None:
        raise ApiProblem(NOT_FOUND)
    return _page(kind.title, _explained(kind))


def _explained(kind: ProblemType) -> Iterable[str]:
    yield f"<p><code>{kind.code}</code>, status {kind.status}</p><dl>"
    yield f"<dt>Why</dt><dd>{escape(kind.cause)}</dd>"
    yield f"<dt>What to do</dt><dd>{escape(kind.remedy)}</dd></dl>"
    yield '<p><a href="/problems">All errors</a> · <a href="/docs">Documentation</a></p>'


def _page(title: str, parts: Iterable[str]) -> Response[str]:
    head = f"<meta charset='utf-8'><title>{escape(title)}</title><style>{_STYLE}</style>"
    body = f"<h1>{escape(title)}</h1>{''.join(parts)}"
    return Response(
        f"<!doctype html><html lang='en'><head>{head}</head><body>{body}</body></html>",
        headers=ONLY_OURS,
        media_type=MediaType.HTML,
    )


router = Router(
    "/", route_handlers=[list_problems, show_problem], include_in_schema=False, tags=["help"]
)
