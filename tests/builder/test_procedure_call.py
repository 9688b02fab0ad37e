"""The call on a procedure's page, run as it stands there: it measures what is declared."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from tiny_campaign import make
from typer.testing import CliRunner

from builder.cli import app
from builder.plugins import known_procedures
from builder.render.pages_procedure import COMMAND


def test_the_command_of_a_page_measures_what_it_declares(tmp_path: Path) -> None:
    folder = make(tmp_path / "tiny")
    program, *words = COMMAND.replace("FOLDER", str(folder)).split()
    assert program == "calbook"
    done = CliRunner().invoke(app, [*words, "-q", "-j", "1"])
    assert done.exit_code == 0, done.output
    page = (folder / "build/site/procedures/level.html").read_text("utf-8")
    assert re.findall(r'data-call="command">([^<]+)<', page) == [COMMAND]
    (function,) = re.findall(r'data-call="function">([^<]+)<', page)
    file, _, name = function.partition(":")
    assert (folder / file).is_file()
    known, _ = known_procedures([folder / file])
    procedure = known["level"].procedure
    assert procedure.measure.__name__ == name
    with (folder / "build/site/data/measurements.csv").open(encoding="utf-8", newline="") as rows:
        measured = {r["quantity"] for r in csv.DictReader(rows) if r["procedure"] == "level"}
    assert measured == {q.name for q in procedure.quantities}
