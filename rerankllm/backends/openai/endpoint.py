"""Where an OpenAI-compatible API is, and what its failures mean: all that touches the SDK's HTTP side."""

import asyncio
import functools
import importlib.util
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from rerankllm.backends.openai.completion import UnusableError, check, excerpt, overflows, server_message
from rerankllm.backends.openai.turns import traced
from rerankllm.backends.remote import Host, NoConnectionError, RemoteFailure
from rerankllm.calls import CallFailed
from rerankllm.errors import AuthError, InputError, MissingExtra

if TYPE_CHECKING:
    import ssl

    import httpx2
    from openai import APIConnectionError, APIStatusError, AsyncOpenAI

OPENAI_URL = "https://api.openai.com/v1"
CONNECT_SECONDS = 10.0  # a host that does not take a connection in this time is not there
NO_KEY = "none"  # sent to hosts that need no key
HINTS = {
    401: "check the key in ${env}",
    403: "the key in ${env} may not use model {model}",
    404: "check the model name {model} and base_url {url}",
}
TOO_MANY = 429
NO_CREDIT = "insufficient_quota"  # a 429 that waiting does not cure
TOO_LONG = "cut passages shorter (--max-passage-tokens) or show fewer at a time (a smaller window)"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One API and the key to it.

    Attributes:
        url: Its base URL.
        host: Host and port, to name in messages.
        is_openai: Whether it is OpenAI's own.
        key_env: Environment variable the key came from.
        key: The key; in no message and no repr.
    """

    url: str
    host: str
    is_openai: bool
    key_env: str
    key: str = field(repr=False)

    @classmethod
    def at(cls, base_url: str | None, key_env: str) -> Self:
        """The API at `base_url`, else `$OPENAI_BASE_URL`, else OpenAI's own, with the key in `$key_env`.

        Raises:
            InputError: The URL is none, or carries secrets; the key is no key.
        """
        url = (base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL).strip().rstrip("/")
        try:
            parts = urlsplit(url)
            name, port = parts.hostname or "", parts.port
        except ValueError:
            raise InputError("base_url must look like http://localhost:8000/v1") from None
        if parts.scheme not in {"http", "https"} or not name:
            raise InputError("base_url must look like http://localhost:8000/v1")
        if parts.username or parts.password or re.search(r"[?#&\s]", url):
            raise InputError(f"base_url of {name} must be scheme, host and path alone; a key belongs in ${key_env}")
        is_openai = name == "api.openai.com" or name.endswith(".api.openai.com")
        key = os.environ.get(key_env, "").strip()
        if not re.fullmatch(r"[!-~]*", key):
            raise InputError(f"${key_env} holds white space or other characters that no API key has")
        return cls(url, name if port is None else f"{name}:{port}", is_openai, key_env, key or NO_KEY)

    def check(self) -> None:
        """Whether anything can be sent: the SDK is there, and a key where one is needed.

        Asked before anything is sent, and not to say what it would take.

        Raises:
            MissingExtra: The SDK is not installed.
            InputError: There is no key, and this is OpenAI's own host.
        """
        need_sdk()
        self.check_key()

    def check_key(self) -> None:
        """Whether there is a key where one is needed.

        Raises:
            InputError: There is none, and this is OpenAI's own host.
        """
        if self.is_openai and self.key == NO_KEY:
            raise InputError(f"{self.host} needs a key: set the environment variable {self.key_env}")

    def client(self, *, timeout: float, retries: int, concurrency: int) -> "AsyncOpenAI":
        """The SDK's client, which retries, given two more reasons to.

        An attempt that takes longer than `timeout` as a whole counts as timed out: the SDK's own limit starts anew with
        every byte received. And an answer of status 200 that no model can have given counts as a broken connection.

        Args:
            timeout: Seconds for one attempt.
            retries: Attempts after the first.
            concurrency: Connections.
        """
        import httpx2  # noqa: PLC0415
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient  # noqa: PLC0415

        class Client(DefaultAsyncHttpxClient):
            async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
                request.extensions["trace"] = traced
                try:
                    async with asyncio.timeout(timeout):
                        response = await super().send(request, **options)
                except TimeoutError:
                    raise httpx2.ReadTimeout(f"no answer within {timeout:g} s", request=request) from None
                if response.status_code == TOO_MANY and NO_CREDIT in response.text:
                    response.headers["x-should-retry"] = "false"
                elif response.is_success:
                    try:
                        check(request.url.path, response.text)
                    except UnusableError as error:
                        raise httpx2.RemoteProtocolError(error.reason, request=request) from error
                return response

        limits = httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
        patience = httpx2.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS))
        return AsyncOpenAI(
            api_key=self.key,
            base_url=self.url,
            max_retries=retries,
            timeout=patience,
            http_client=Client(timeout=patience, limits=limits, verify=certificates()),
        )

    def refused(self, error: "APIStatusError", model: str) -> CallFailed:
        """What an error status means for the request.

        Raises:
            AuthError: It is one that retrying cannot help.
        """
        status, attempts = error.status_code, attempts_of(error.response.request)
        reason = f"{self.host} answered {status}: {self.shown(error.response.text)}"
        if status in HINTS:
            hint = HINTS[status].format(env=self.key_env, model=model, url=self.url)
            raise AuthError(f"{reason}; {hint}") from None
        if status == TOO_MANY and NO_CREDIT in error.response.text:
            raise AuthError(f"{reason}; the account behind ${self.key_env} has no credit left") from None
        if overflows(error.response.text):
            return CallFailed(f"{reason}; {TOO_LONG}", attempts)
        if status in {408, 409, 429} or status >= 500:  # noqa: PLR2004
            return RemoteFailure(reason, attempts, Host.FAILS)
        return CallFailed(reason, attempts)

    def cut_off(self, error: "APIConnectionError", timeout: float) -> CallFailed:
        """What it means that no complete HTTP answer came.

        Raises:
            NoConnectionError: There was no connection at all.
        """
        import httpx2  # noqa: PLC0415
        from openai import APITimeoutError  # noqa: PLC0415

        cause, attempts = error.__cause__, attempts_of(error.request)
        if cause is not None and isinstance(cause.__cause__, UnusableError):
            return self.unusable(cause.__cause__, attempts)
        said = self.shown(_innermost(cause))
        if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError):
            raise NoConnectionError(f"cannot reach {self.host}: {said}; is the server running?", attempts) from None
        if isinstance(error, APITimeoutError):
            late = f"{self.host} did not answer within {timeout:g} s; a longer timeout may help"
            return RemoteFailure(late, attempts, Host.FAILS)
        return RemoteFailure(f"{self.host} broke the connection off: {said}", attempts, Host.FAILS)

    def unusable(self, error: UnusableError, attempts: int) -> CallFailed:
        """What an answer of no use means."""
        said = f": {self.shown(error.said)}" if error.said else ""
        return RemoteFailure(f"{self.host}: {error.reason}{said}", attempts, error.host)

    def shown(self, text: str) -> str:
        """One line of what a host or library said, without the key or what looks like the remains of one."""
        return self._without_key(server_message(self._without_key(text)))

    def _without_key(self, text: str) -> str:
        if self.key != NO_KEY:
            text = text.replace(self.key, "[key]")
        return re.sub(r"\bsk-[\w*-]+|[\w-]+\*{3,}[\w*-]*", "[key]", text)


def need_sdk() -> None:
    """Raises MissingExtra where the SDK, or the client that it sends with, is not installed."""
    if not has_sdk():
        raise MissingExtra("pip install 'rerankllm[openai]'")


def has_sdk() -> bool:
    """Whether requests can be sent."""
    return all(importlib.util.find_spec(package) is not None for package in ("openai", "httpx2"))


@functools.cache
def certificates() -> "ssl.SSLContext":
    """Whom to trust, as httpx has it: read once, for it takes as long as a dozen requests."""
    import httpx2  # noqa: PLC0415

    return httpx2.create_ssl_context()


def attempts_of(request: "httpx2.Request") -> int:
    """How many times the SDK sent this request; it numbers its retries in a header."""
    return 1 + int(request.headers.get("x-stainless-retry-count", 0))


def _innermost(error: BaseException | None) -> str:
    """What the innermost error says: the operating system's words rather than a library's."""
    while error is not None and (error.__cause__ or error.__context__):
        error = error.__cause__ or error.__context__
    return excerpt(str(error) or type(error).__name__)
