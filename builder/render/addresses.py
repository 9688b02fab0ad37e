"""Where everything is: the address of each page and anchor of the site.

Addresses are permanent. They are relative to the site's root, '/'-separated, fit for a URL as they stand, and
made from names by ``campaign.names.slug`` alone, so that any part of calbook can link to a page without
knowing how it is drawn. Anchors follow a '#'.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import quote

from campaign.names import slug

HOME = "index.html"
HEALTH = "health.html"
CAVEATS = "caveats.html"
HARDWARE = "hardware.html"
DOCUMENTS = "documents.html"
LIMITS = "limits.html"
PROCEDURES = "procedures/index.html"
BUILD = "about/build.html"
MEASUREMENTS_CSV = "data/measurements.csv"
MEASUREMENTS_PARQUET = "data/measurements.parquet"
CAMPAIGN_JSON = "data/campaign.json"


def block_page(block: str) -> str:
    """The page of a block."""
    return f"blocks/{slug(block)}/index.html"


FRAMES_A_PAGE = 1000
"""Rows of an exposure table on one page; larger tables go on, on pages of their own."""


def exposures_page(block: str, part: int = 1) -> str:
    """The exposure table of a block, or a further part of a large one (from 2)."""
    return f"blocks/{slug(block)}/exposures{f'-{part}' if part > 1 else ''}.html"


def exposure_row(block: str, frame: str, part: int = 1) -> str:
    """The row of a frame (its id, 'exposure/detector') in its block's exposure table, in that part of it."""
    return f"{exposures_page(block, part)}#{frame_anchor(frame)}"


def frame_anchor(frame: str) -> str:
    """The anchor of a frame's row."""
    return f"frame-{slug(frame)}"


def test_page(block: str, test: str) -> str:
    """The page of a test."""
    return f"blocks/{slug(block)}/tests/{slug(test)}.html"


test_page.__test__ = False  # type: ignore[attr-defined]  # not a test of ours, whatever its name suggests


def numbers_page(block: str, test: str) -> str:
    """All numbers of a test whose own page would be heavy with them."""
    return f"{test_page(block, test).removesuffix('.html')}/numbers.html"


def procedure_anchor(procedure: str) -> str:
    """The anchor of a procedure's part of a test or block page."""
    return f"procedure-{slug(procedure)}"


def figures_anchor(procedure: str) -> str:
    """The anchor of a procedure's figures on a test's page."""
    return f"figures-{slug(procedure)}"


def detector_page(detector: str) -> str:
    """The page of a detector, over all blocks and tests."""
    return f"detectors/{slug(detector)}.html"


def channel_anchor(channel: str) -> str:
    """The anchor of a channel on its detector's page."""
    return f"channel-{slug(channel)}"


def procedure_page(procedure: str) -> str:
    """The page of a procedure."""
    return f"procedures/{slug(procedure)}.html"


def quantity_anchor(quantity: str) -> str:
    """The anchor of a quantity on its procedure's page."""
    return f"quantity-{slug(quantity)}"


def result_page(result_id: str) -> str:
    """The provenance page of an outcome."""
    return f"measurements/{slug(result_id)}.html"


_PLAIN = re.compile(r"\w[\w.-]*\.[\w.-]*\w", re.ASCII)
"""Identifiers of which ``slug`` would change nothing: told at a quarter of its cost, for tens of thousands of them."""


def measurement_anchor(measurement_id: str) -> str:
    """The anchor of a measurement (``Judged.id``) on its provenance page: the id itself where it is plain."""
    return measurement_id if _PLAIN.fullmatch(measurement_id) else slug(measurement_id)


def number_anchor(measurement_id: str) -> str:
    """Another anchor of the same measurement, short: what follows the result's id, for the many links of matrices."""
    return "." + measurement_anchor(measurement_id).partition(".")[2]


def measurement_page(measurement_id: str) -> str:
    """The provenance of a measurement (``Judged.id``, which begins with the result's), anchor included."""
    return f"{result_page(measurement_id.partition('.')[0])}#{measurement_anchor(measurement_id)}"


def record_page(source: str) -> str:
    """The table of a record source as it was pulled."""
    return f"records/{slug(source)}.html"


def record_row(source: str, row: int) -> str:
    """A row of a record source, by the spreadsheet's row number."""
    return f"{record_page(source)}#row-{row}"


def caveat_anchor(caveat: str) -> str:
    """The anchor of a caveat (its id) on the page of caveats."""
    return f"caveat-{slug(caveat)}"


def caveat(caveat_id: str) -> str:
    """The place of a caveat among all caveats."""
    return f"{CAVEATS}#{caveat_anchor(caveat_id)}"


def limit_anchor(limit: str) -> str:
    """The anchor of a limit (its id) on the page of limits."""
    return f"limit-{slug(limit)}"


def limit(limit_id: str) -> str:
    """The place of a limit among all limits."""
    return f"{LIMITS}#{limit_anchor(limit_id)}"


def finding_kind(kind: str) -> str:
    """The place of a kind of finding on the health page."""
    return f"{HEALTH}#{slug(kind)}"


def campaign_file(path: str) -> str:
    """The address, percent-encoded, of a copy of a file of the campaign folder.

    ``path`` is relative to the folder. Raises ValueError when it is absolute, leaves the folder or is empty.
    """
    return quote(campaign_file_path(path))


def campaign_file_path(path: str) -> str:
    """Where, below the site's root, that copy is on disk. Raises ValueError as ``campaign_file`` does."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    if not parts or parts[0].startswith("/") or ".." in parts or ":" in parts[0] or "\x00" in path:
        raise ValueError(f"{path!r} is not a path inside the campaign folder")
    return "files/" + "/".join(parts)


def relative(page: str, target: str) -> str:
    """The link from a page to an address: both relative to the site's root, ``target`` perhaps with an anchor.

    >>> relative("blocks/BORN/index.html", "blocks/BORN/tests/BIAS01.html#log")
    'tests/BIAS01.html#log'
    """
    place, mark, anchor = target.partition("#")
    if place == page and mark:
        return f"#{anchor}"
    here, there = page.split("/")[:-1], place.split("/")
    shared = 0
    while shared < min(len(here), len(there) - 1) and here[shared] == there[shared]:
        shared += 1
    steps = "../" * (len(here) - shared) + "/".join(there[shared:])
    return quote(steps, safe="/%~:@!$&'()*+,;=?") + mark + quote(anchor, safe="%~:@!$&()*+,;=?/")


CAVEAT_COVERAGE = "caveat-coverage.html"


def figure_anchor(figure: str) -> str:
    """The anchor of a figure on its procedure's page."""
    return f"figure-{slug(figure)}"


VERDICTS = "verdicts.html"
"""Open failures, and verdicts that changed."""

VERSIONS = "versions.html"


def version_anchor(number: int) -> str:
    """The anchor of a report version on the page of versions."""
    return f"version-{number}"


def version(number: int) -> str:
    """The place of a report version among all versions."""
    return f"{VERSIONS}#{version_anchor(number)}"


CHECK = "check.html"
"""The health check: what needs a person, and one strip of days."""


def comparison_page(block: str, other: str) -> str:
    """The numbers of a block against those of another.

    Names with dashes get a digest of both, since 'A-B' against 'C' must not have the address of 'A' against 'B-C'.
    """
    plain = "-" not in block + other
    return (
        f"compare/{slug(block)}-{slug(other)}.html" if plain else f"compare/{slug(f'{block}/{other}')}.html"
    )


def comparison_table(block: str, other: str) -> str:
    """The same as a table."""
    return f"{comparison_page(block, other).removesuffix('.html')}.csv"


COMPARISONS = "compare/index.html"
"""All comparisons of blocks."""


TRENDS = "trends/index.html"
REGRESSIONS = "trends/regressions.html"
FEED = "trends/feed.xml"


def trend_page(procedure: str, quantity: str) -> str:
    """The page of a quantity over time."""
    return f"trends/{slug(procedure)}/{slug(quantity)}.html"


def trend_name(detector: str, setting: str) -> str:
    """The name of the plot of a detector at a setting, on the page of its quantity: in its files, and after 'plot-' its anchor."""
    return slug(f"{detector} {setting}" if setting else detector or "whole")


def trend_file(procedure: str, quantity: str, detector: str, setting: str, ending: str) -> str:
    """A file of a plot over time: its pictures ('.svg', '-dark.svg'), its data ('.csv', '.js')."""
    return f"trends/{slug(procedure)}/{slug(quantity)}/{trend_name(detector, setting)}{ending}"


def trend_plot(procedure: str, quantity: str, detector: str, setting: str) -> str:
    """A plot over time on its page."""
    return f"{trend_page(procedure, quantity)}#plot-{trend_name(detector, setting)}"


CERTIFICATION = "certification.html"
SUBJECTS_JSON = "data/subjects.json"


def certified_test(block: str, test: str) -> str:
    """The row of a test on the page of certification."""
    return f"{CERTIFICATION}#{certified_anchor(block, test)}"


def certified_anchor(block: str, test: str) -> str:
    """The anchor of that row."""
    return f"test-{slug(block)}-{slug(test)}"


def review_page(block: str, test: str) -> str:
    """The page on which the frames, figures and products of a test are reviewed one after the other."""
    return f"review/{slug(block)}/{slug(test)}.html"
