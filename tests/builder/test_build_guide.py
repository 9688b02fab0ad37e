"""The procedure that the guide shows: as it stands on the page, in a real build and in its own test."""

from __future__ import annotations

import csv
import re
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_campaign import bias, built, make, pixels

PAGE = Path(__file__).parents[2] / "site_src" / "guide" / "procedures.md"
PYTHON = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
TOML = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
OFFSETS = (0.0, 0.4, 0.2, 0.7, 0.1)


@pytest.mark.slow
def test_the_page_s_procedure_works_as_written(tmp_path: Path) -> None:
    assert "`procedures/steadiness.py`" in PAGE.read_text("utf-8")
    use = next(t for t in TOML if t.startswith("[procedures.steadiness]"))
    limit = next(t for t in TOML if "steadiness.scatter" in t)
    folder = make(tmp_path / "tiny", rows="BIAS01,1,5,0,done,\n", more=use)
    (folder / "procedures" / "steadiness.py").write_text(PYTHON[0], "utf-8")
    (folder / "limits" / "own.toml").write_text(limit, "utf-8")
    for number, offset in enumerate(OFFSETS, 1):
        data = pixels(number).astype(np.float32) + np.float32(offset)
        bias(folder / "frames" / f"b{number}.fits", number, data=data)
    site = built(folder).home.parent
    with (site / "data" / "measurements.csv").open(encoding="utf-8", newline="") as file:
        (row,) = (r for r in csv.DictReader(file) if r["procedure"] == "steadiness")
    # five levels about their own mean, each with the noise of 1024 pixels of 5 ADU; three of its errors
    expected = sqrt(float(np.var(OFFSETS, ddof=1)) + 5.0**2 / 1024)
    assert abs(float(row["value"]) - expected) < 3 * float(row["uncertainty"])
    assert float(row["uncertainty"]) == pytest.approx(float(row["value"]) / sqrt(8))
    assert (row["quantity"], row["unit"], row["n"], row["limit_id"]) == ("scatter", "ADU", "5", "LAB-3")
    page = (site / "procedures" / "steadiness.html").read_text("utf-8")
    assert "Tells whether the electronics were warmed up." in page
    assert "Look for a slope" in (site / "blocks" / "B1" / "tests" / "BIAS01.html").read_text("utf-8")


def test_the_page_s_own_test_passes() -> None:
    held: dict[str, Any] = {"__name__": "page"}
    exec(compile(PYTHON[0], "steadiness.py", "exec"), held)
    test = next(text for text in PYTHON if "def test_" in text)
    exec(compile(test, "test_steadiness.py", "exec"), held)
    held["test_scatter_is_that_of_the_levels"]()
    assert held["PROCEDURE"].name == "steadiness"
