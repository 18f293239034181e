"""Where a request goes: paths are made plain before anything else looks at them."""

from collections.abc import Collection, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from rerankllm.server.aliases import ANY

ALIAS = "/alias/"
"""`/alias/NAME/rerank` is `/rerank` answered by the alias NAME, for clients that name no model or always the same."""


class Routing:
    """The middleware that finds the route behind a path.

    A slash at the end is dropped; `/alias/NAME` in front names the alias; and a client that is known by a header gets
    the route of its own dialect.

    Args:
        app: Answers requests.
        aliases: The aliases.
        known: For each path that dialects share, the own path of the dialect whose client sends a header, by that.
    """

    def __init__(
        self, app: ASGIApp, *, aliases: Collection[str], known: Mapping[str, Mapping[tuple[str, str], str]]
    ) -> None:
        self._app, self._known = app, known
        self._aliases = sorted((name for name in aliases if name != ANY), key=len, reverse=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands a request on, with its route as the path."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        named, path = self._named(scope["path"])
        path = path.rstrip("/") or "/"
        by_header = self._known.get(path)
        if by_header:
            headers = {(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]}
            path = next((own for header, own in by_header.items() if header in headers), path)
        await self._app({**scope, "path": path, "raw_path": path.encode(), "named": named}, receive, send)

    def _named(self, path: str) -> tuple[str | None, str]:
        """The alias that a path names, if any, and the path without it."""
        name = next((name for name in self._aliases if path.startswith(f"{ALIAS}{name}/")), None)
        return (None, path) if name is None else (name, path.removeprefix(ALIAS + name))
