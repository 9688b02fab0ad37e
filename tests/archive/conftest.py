"""A tiny campaign, built once by the real build; each test gets a copy of its own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "builder"))

from tiny_campaign import built, make

from builder.archive.make import Made
from builder.archive.make import make as archive

FIRST = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def tiny_built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign of two tests with its site; not to be changed."""
    folder = make(tmp_path_factory.mktemp("archive") / "tiny")
    (folder / "caveats.toml").write_text('[[caveat]]\nid = "old"\ntext = "Known."\nauthor = "A"\n')
    built(folder)
    return folder


@pytest.fixture
def campaign(tiny_built: Path, tmp_path: Path) -> Path:
    """A copy of the built campaign."""
    return Path(shutil.copytree(tiny_built, tmp_path / "tiny"))


@pytest.fixture
def archived(campaign: Path) -> Callable[..., Made]:
    """Archives the campaign, each time a day later."""
    count = 0

    def one(label: str = "review", **options: object) -> Made:
        nonlocal count
        count += 1
        when = FIRST + timedelta(days=count - 1)
        given = {"author": "A. Person", "now": when, **options}
        return archive(campaign, label=label, **given)  # type: ignore[arg-type]

    return one
