"""The HTTP side of Google Sheets: gspread's client with another base address, bounds, and patience.

gspread builds addresses from constants of its own and hands every request to ``HTTPClient.request``; this
client gives it another one, which moves the address to the base that the campaign sets. Redirects are not
followed (a key must not travel), answers are bounded in time and size, and what may pass is tried again.
"""

from __future__ import annotations

import io
import json as json_text
import time
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from google.auth.exceptions import GoogleAuthError, TransportError
from gspread.http_client import HTTPClient
from requests import Response, Session
from urllib3.exceptions import HTTPError, TimeoutError

from campaign.sources.grid import MAX_BYTES, SourceError
from campaign.sources.secrets import Secrets
from campaign.sources.sheets_access import GOOGLE

MAX_WAIT = 30.0
"""Longest time to wait before another attempt [s]; a server that asks for more is not waited for."""
_BUSY = frozenset({429, 500, 502, 503, 504})
_MEANING = {
    400: "did not understand the request (400)",
    401: "did not accept the credentials (401)",
    403: "refuses access (403): share the spreadsheet with the service account, or make it public for an API key",
    404: "knows no such spreadsheet (404)",
    429: "is asked too often (429)",
}


class Passing(Exception):
    """A failure that may pass. ``wait`` is what the server asks for [s], None where it does not say."""

    def __init__(self, message: str, wait: float | None = None, *, unreachable: bool = False) -> None:
        super().__init__(message)
        self.wait, self.unreachable = wait, unreachable


class SheetsHTTPClient(HTTPClient):
    """gspread's HTTP client at a base address of one's own.

    ``retries`` is how often a failure that may pass is tried again, ``timeout`` how long to wait for an
    answer to begin [s] (its end may take three times as long). Raises SourceError, always free of secrets.
    """

    def __init__(
        self,
        session: Session,
        *,
        base: str,
        timeout: float,
        retries: int,
        secrets: Secrets,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
    ) -> None:
        super().__init__(None, session)  # type: ignore[arg-type]  # a session of one's own brings its authorisation
        self.base, self.timeout, self.retries = base, timeout, retries
        self.unreachable = ""
        self._secrets, self._now, self._sleep = secrets, now, sleep

    def request(
        self,
        method: str,
        endpoint: str,
        params: Any = None,
        data: bytes | None = None,
        json: Any = None,
        files: Any = None,
        headers: Any = None,
    ) -> Response:
        """The answer to a request that only reads; its body is whole and is JSON."""
        if method.lower() != "get" or not endpoint.startswith(GOOGLE):
            raise SourceError("only reading from the Sheets API is allowed")
        if self.unreachable:
            raise SourceError(self.unreachable)
        url = self.base + endpoint.removeprefix(GOOGLE)
        for attempt in range(self.retries + 1):
            try:
                return self._once(url, params)
            except Passing as failure:
                self._wait_or_give_up(failure, attempt)
        raise AssertionError("the last attempt either answers or gives up")

    def _wait_or_give_up(self, failure: Passing, attempt: int) -> None:
        message = self._secrets.redact(str(failure))
        wait = 2.0**attempt if failure.wait is None else failure.wait
        if wait > MAX_WAIT:
            raise SourceError(f"{message}; it asks to wait {wait:.0f} s") from None
        if attempt == self.retries:
            message += f" (tried {attempt + 1} times)" if attempt else ""
            # no point in waiting for the same silence once per source
            self.unreachable = message if failure.unreachable else ""
            raise SourceError(message) from None
        self._sleep(wait)

    def _once(self, url: str, params: Any) -> Response:
        """One attempt. Raises Passing for what may pass, SourceError for what will not."""
        seconds = f"{self.timeout:g} s"
        try:
            with self.session.request(
                "get", url, params=params, timeout=self.timeout, allow_redirects=False, stream=True
            ) as response:
                answer = self._whole(response)
        except (requests.Timeout, TimeoutError):
            raise Passing(f"Google Sheets gave no answer within {seconds}", unreachable=True) from None
        except requests.exceptions.SSLError:
            raise SourceError("the server's certificate is not trusted") from None
        except TransportError:
            raise Passing("the token server could not be reached", unreachable=True) from None
        except GoogleAuthError as error:
            raise SourceError(self._refused(error)) from None
        except requests.ConnectionError:
            raise Passing(
                "Google Sheets could not be reached: is there a network?", unreachable=True
            ) from None
        except (requests.RequestException, HTTPError):
            raise Passing("the answer of Google Sheets was cut short") from None
        self._check(answer)
        return answer

    def _refused(self, error: GoogleAuthError) -> str:
        said = self._secrets.redact(str(error.args[0] if error.args else ""))[:200]
        return f"the service account was refused: {said}" if said else "the service account was refused"

    def _whole(self, response: Response) -> Response:
        """The response with its body read, within the bounds."""
        until = time.monotonic() + 3 * (self.timeout if isinstance(self.timeout, int | float) else 20.0)
        body = bytearray()
        # read1 returns what has arrived; read would wait for a full block however slowly it trickles in
        while chunk := response.raw.read1(1 << 16, decode_content=True):
            body += chunk
            if len(body) > MAX_BYTES:
                raise SourceError(f"the answer is larger than {MAX_BYTES // 1_000_000} MB")
            if time.monotonic() > until:
                raise requests.Timeout
        whole = Response()
        whole.status_code, whole.headers, whole.raw = (
            response.status_code,
            response.headers,
            io.BytesIO(bytes(body)),
        )
        whole.encoding = "utf-8"
        whole.headers.pop("Content-Encoding", None)
        return whole

    def _check(self, response: Response) -> None:
        code = response.status_code
        if 300 <= code < 400:
            raise SourceError("Google Sheets sends elsewhere instead of answering: a login page?")
        if code in _BUSY:
            what = _MEANING.get(code, f"has an internal error ({code})")
            raise Passing(f"Google Sheets {what}", self._retry_after(response))
        if code != 200:
            raise SourceError(f"Google Sheets {_MEANING.get(code, f'answered {code}')}{self._said(response)}")
        start = response.content.lstrip()[:1]
        if start == b"<" or "html" in response.headers.get("Content-Type", ""):
            raise SourceError("a web page came instead of data: a login page of a proxy?")
        try:
            found = json_text.loads(response.content)
        except (ValueError, RecursionError):
            raise Passing("the answer of Google Sheets was cut short") from None
        if not isinstance(found, dict):
            raise SourceError("the answer is not one of Google Sheets")

    def _said(self, response: Response) -> str:
        """The server's own words on an error, where it has any."""
        try:
            said = json_text.loads(response.content)["error"]["message"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return ""
        return f": {self._secrets.redact(' '.join(str(said).split()))[:200]}"

    def _retry_after(self, response: Response) -> float | None:
        """The time that a Retry-After header asks to wait [s] (RFC 9110, 10.2.3); None without one."""
        text = response.headers.get("Retry-After", "").strip()
        if text.isdigit():
            return float(text[:9])
        try:
            return max((parsedate_to_datetime(text) - self._now()).total_seconds(), 0.0)
        except (ValueError, TypeError):
            return None
