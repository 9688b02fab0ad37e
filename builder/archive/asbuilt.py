"""Whether a site is as its store's last build left it. A version of anything else would stand for nothing."""

from __future__ import annotations

import csv
import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any

from builder.archive.contents import opened, shown_results
from builder.archive.errors import NotAsBuiltError
from builder.render.addresses import CAMPAIGN_JSON, MEASUREMENTS_CSV
from builder.render.write import JOURNAL, MANIFEST, PART
from campaign.frozen import dataclass

AGAIN = "Build the site again, then archive it."


@dataclass(frozen=True)
class AsBuilt:
    """A site that may be archived: its files with the first 32 digits of their BLAKE3, and what else lies there.

    ``manifest`` is the text of its manifest, to see afterwards that no build came between.
    """

    site: Path
    files: dict[str, str]
    strangers: tuple[str, ...]
    build: int
    started: str
    manifest: bytes


def as_built(output: Path) -> AsBuilt:
    """The site under ``output``, when it shows what the store's last build ended with. Raises NotAsBuiltError.

    That the bytes of its files are those of the manifest is found while they are copied.
    """
    site = output / "site"
    try:
        manifest = (site / MANIFEST).read_bytes()
        files = {str(path): (str(v[0]), int(v[1])) for path, v in json.loads(manifest).items()}
    except FileNotFoundError:
        raise NotAsBuiltError(f"There is no finished site in {site}. {AGAIN}") from None
    except (ValueError, TypeError, IndexError, AttributeError):
        raise NotAsBuiltError(f"{site / MANIFEST} is damaged. {AGAIN}") from None
    if (site / JOURNAL).exists():
        raise NotAsBuiltError(
            f"The last build of {site} did not finish writing it, or is still at it. {AGAIN}"
        )
    _unchanged(site, {path: size for path, (_, size) in files.items()})
    build, started = _of_last_build(site, output / "store")
    there = {os.path.relpath(f"{at}/{name}", site) for at, _, names in os.walk(site) for name in names}
    strangers = tuple(sorted(there - files.keys() - {MANIFEST, PART}))
    return AsBuilt(site, {p: d for p, (d, _) in files.items()}, strangers, build, started, manifest)


def _unchanged(site: Path, sizes: dict[str, int]) -> None:
    wrong = []
    for path, size in sizes.items():
        try:
            found = (site / path).stat().st_size
        except OSError:
            wrong.append(f"{path} is missing")
            continue
        if found != size:
            wrong.append(f"{path} has {found} bytes, not {size}")
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise NotAsBuiltError(f"The site is not as it was built: {'; '.join(wrong[:3])}{more}. {AGAIN}")


def _of_last_build(site: Path, store: Path) -> tuple[int, str]:
    """The store's last build, when the site is of it and shows its numbers and verdicts."""
    try:
        said: dict[str, Any] = json.loads((site / CAMPAIGN_JSON).read_bytes())
        with (site / MEASUREMENTS_CSV).open(encoding="utf-8", newline="") as stream:
            rows = csv.reader(stream)
            head = next(rows)
            ident, verdict = head.index("result_id"), head.index("verdict")
            on_site = {row[ident]: row[verdict] for row in rows}
    except (OSError, ValueError, StopIteration) as error:
        raise NotAsBuiltError(f"The site's numbers cannot be read ({error}). {AGAIN}") from None
    with closing(opened(store)) as db:
        last = db.execute(
            "SELECT id, started FROM builds WHERE finished IS NOT NULL ORDER BY id DESC LIMIT 1"
        ).fetchone()
        if last is None:
            raise NotAsBuiltError(f"No build of {store} ever finished. {AGAIN}")
        if said.get("build") != last[0]:
            raise NotAsBuiltError(
                f"The site is of build {said.get('build')}, but the store's last one is build {last[0]}. {AGAIN}"
            )
        shown = set(shown_results(db).values())
        measured = {r for (r,) in db.execute("SELECT DISTINCT result_id FROM measurements")}
        verdicts = dict(db.execute("SELECT measurement_id, verdict FROM verdicts ORDER BY since, rowid"))
    if {name.partition(".")[0] for name in on_site} != shown & measured or any(
        verdicts.get(name) != word for name, word in on_site.items()
    ):
        raise NotAsBuiltError(
            "The store holds results or verdicts that the site does not show: a build was stopped before its end. "
            + AGAIN
        )
    return int(last[0]), str(last[1])
