"""Options of the page tests. Golden pages are refreshed with ``pytest tests/site --refresh-golden``: read the diff."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--refresh-golden", action="store_true", help="rewrite tests/site/golden from what is drawn now"
    )
