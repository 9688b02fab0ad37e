"""Pages as they were last approved. To approve a change: ``pytest tests/site --refresh-golden``, and read the diff."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from report_fixture import make_report

from builder.render import addresses
from builder.render.pages import pages

GOLDEN = Path(__file__).parent / "golden"
CHOSEN = (
    addresses.HOME,
    addresses.block_page("CURIE"),
    addresses.test_page("BORN", "BIAS02"),
    addresses.result_page(f"{0xB9:020x}"),
    addresses.procedure_page("bias"),
    addresses.record_page("born"),
    addresses.detector_page("spare <i>CCD</i>"),
    addresses.CAVEATS,
    addresses.LIMITS,
    addresses.TRENDS,
    addresses.REGRESSIONS,
    addresses.trend_page("bias", "offset"),
    addresses.CERTIFICATION,
    addresses.review_page("BORN", "BIAS02"),
)


def _normalised(html: str) -> str:
    """One tag a line and no white space at the ends, so that a diff shows what changed and no more."""
    lines = (" ".join(line.split()) for line in re.sub(r"(<[a-z])", r"\n\1", html).splitlines())
    return "\n".join(line for line in lines if line) + "\n"


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    return {
        p.path: _normalised(p.body) for p in pages(make_report(), {"CURIE": "<p>Notes.</p>"}, "<p>About.</p>")
    }


@pytest.mark.parametrize("path", CHOSEN)
def test_page_is_as_approved(path: str, drawn: dict[str, str], request: pytest.FixtureRequest) -> None:
    golden = GOLDEN / path.replace("/", "_")
    if request.config.getoption("--refresh-golden", default=False):
        golden.write_text(drawn[path], encoding="utf-8")
    assert golden.exists(), f"{golden.name} is missing: run pytest tests/site --refresh-golden"
    assert drawn[path] == golden.read_text(encoding="utf-8")
