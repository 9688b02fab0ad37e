"""Access to Google Sheets: where its API is, who asks, and the secrets that no message may hold."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from campaign.model import SheetsSettings
from campaign.sources.grid import SourceError
from campaign.sources.secrets import Secrets

GOOGLE = "https://sheets.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/spreadsheets.readonly"
CREDENTIALS = "CALBOOK_SHEETS_CREDENTIALS"


class KeyAuth(AuthBase):
    """An API key, sent as a header, so that no address holds it."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The request with the key."""
        request.headers["X-Goog-Api-Key"] = self._key
        return request


class ServiceAccountAuth(AuthBase):
    """A service account: fetches an access token when there is none that is valid.

    The credentials' own ``before_request`` is not used: beside the token it asks another Google service, in
    the background, where requests should be routed, which a laboratory's proxy would not serve.
    """

    def __init__(self, credentials: Any, secrets: Secrets, timeout: float, local: bool) -> None:
        from google.auth.transport.requests import Request

        session = requests.Session()
        session.max_redirects = 0
        session.trust_env = not local
        self._credentials, self._secrets, self._lock = credentials, secrets, threading.Lock()
        self._request = partial(Request(session), timeout=timeout)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The request with a valid token. Raises google.auth's RefreshError or TransportError."""
        with self._lock:
            if not self._credentials.valid:
                self._credentials.refresh(self._request)
                self._secrets.add(self._credentials.token)
            request.headers["Authorization"] = f"Bearer {self._credentials.token}"
        return request


def api_base(setting: str) -> str:
    """The base address of the API, without its path. Raises SourceError when it is not safe to send a key to."""
    base = setting.strip() or GOOGLE
    _safe(base, "the setting sheets.api")
    for path in ("/", "/spreadsheets", "/v4", "/"):
        base = base.removesuffix(path)
    return base


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own."""
    host = urlsplit(address).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def authorisation(
    settings: SheetsSettings, root: Path, environ: Mapping[str, str], secrets: Secrets
) -> AuthBase:
    """Who asks: a service account where a key file is named, else an API key. Raises SourceError for neither."""
    key = environ.get(settings.key_env, "").strip()
    file = environ.get(CREDENTIALS, "").strip() or settings.credentials
    secrets.add(key)
    if file:
        return _service_account(root / Path(file).expanduser(), settings.timeout, secrets)
    if key:
        return KeyAuth(key)
    raise SourceError(
        f"no credentials for Google Sheets: set {CREDENTIALS} to a service account's key file, "
        f"or {settings.key_env} to an API key for public sheets"
    )


def _service_account(path: Path, timeout: float, secrets: Secrets) -> AuthBase:
    from google.oauth2.service_account import Credentials

    what = "the service account's key file"
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        secrets.add(info.get("private_key"), info.get("private_key_id"))
        _safe(info["token_uri"], f"token_uri of {what}")
        credentials = Credentials.from_service_account_info(info, scopes=[SCOPE])  # type: ignore[no-untyped-call]
        return ServiceAccountAuth(credentials, secrets, timeout, is_loopback(info["token_uri"]))
    except OSError:
        raise SourceError(f"{what} could not be read") from None
    except SourceError:
        raise
    except Exception:
        # the libraries' messages may quote the key: none of it is passed on
        raise SourceError(f"{what} is not one: make a new JSON key for the service account") from None


def _safe(address: str, what: str) -> None:
    parts = urlsplit(address)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise SourceError(f"{what} must be a plain address, without a user, password or query")
    if not parts.hostname or not (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback(address))
    ):
        raise SourceError(f"{what} must be an https address: keys are not sent in the clear")
