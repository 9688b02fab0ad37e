"""Secrets: what they look like, and their removal from whatever is shown or kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_SECRET = re.compile(
    r"-----BEGIN[^-]*-----.*?(?:-----END[^-]*-----|$)"  # a private key
    r"|AIza[0-9A-Za-z_-]{20,}"  # an API key
    r"|ya29\.[0-9A-Za-z._-]+"  # an access token
    r"|eyJ[0-9A-Za-z_-]+\.[0-9A-Za-z_.-]+"  # a signed assertion
    r"|(?i:bearer)\s+[^\s'\",;]+"
    r"|(?i:key|token|secret|password|passwd|signature)=[^\s&'\",;]+"  # in an address
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)",  # name and password before a host
    re.DOTALL,
)
_NAMES = {"KEY", "APIKEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "CREDENTIALS"}


class Secrets:
    """Texts that must never be shown, and their removal from messages."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    @classmethod
    def of_environment(cls, environ: Mapping[str, str], *names: str) -> Secrets:
        """The values of variables whose names say that they are secret (…_KEY, …_TOKEN, …_PASSWORD …), and of ``names``."""
        out = cls()
        out.add(*(v for n, v in environ.items() if n in names or _NAMES & set(n.upper().split("_"))))
        return out

    def add(self, *texts: str | None) -> None:
        """Texts to hide from now on; what is too short to be a secret is not."""
        self._known |= {t for t in texts if t and len(t) >= 6}

    def redact(self, text: str) -> str:
        """The text with everything secret, or that looks so, replaced."""
        for secret in sorted(self._known, key=len, reverse=True):
            text = text.replace(secret, "[secret]")
        return _SECRET.sub("[secret]", text)

    def redacted(self, value: Any) -> Any:
        """A value of mappings, sequences and texts, redacted throughout; all else as it is."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, Mapping):
            return {self.redact(str(k)): self.redacted(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self.redacted(v) for v in value]
        return value
