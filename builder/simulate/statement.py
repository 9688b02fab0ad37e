"""``truth.json``: the truth beside the frames, the planted faults, and which files the simulator made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from builder.simulate.gathered import area_changes
from builder.simulate.plan import Exposure
from builder.simulate.settings import FAULTS, Settings, Truth
from builder.simulate.shots import Shot
from campaign.model import Campaign

NAME = "truth.json"

UNITS = {
    "gain": "e-/ADU", "read_noise": "e-", "offset": "ADU", "dark_current": "e-/s", "full_well": "e-",
    "hot": "row, column, e-/s", "dead": "row, column, response", "columns": "column, response",
    "noisy": "row, column, noise over read noise", "bent": "row, column, part lost at full well", 
    "telegraph": "row, column, e-/s while high", "late": "row, column, e-/s", "annealed": "row, column, e-/s", "prnu": "fraction", "a00": "1/e-", "lamp": "e-/s", "cosmic_rate": "1/s per million pixels", "structure": "ADU",
}  # fmt: skip


def made_before(root: Path) -> dict[str, str]:
    """The files that an earlier run recorded as its own, with their recipes; {} when there was none."""
    try:
        found = json.loads((root / NAME).read_text("utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    if not isinstance(found, dict):
        return {}
    # the file may have been edited: never follow a path out of the root
    home = root.resolve()
    return {str(p): str(r) for p, r in found.items() if (root / str(p)).resolve().is_relative_to(home)}


def state(
    campaign: Campaign,
    settings: Settings,
    planned: Mapping[str, Sequence[Exposure]],
    shots: Sequence[Shot],
    files: Mapping[str, str],
) -> str:
    """The text of ``truth.json``."""
    content = {
        "format": 1,
        "seed": settings.seed,
        "units": UNITS,
        "coordinates": "zero-based row and column of the whole image as FITS readers return it",
        "blocks": {block: _block(campaign, settings, block, taken) for block, taken in planned.items()},
        "faults": [line for shot in shots for line in _faults(shot)],
        "files": dict(sorted(files.items())),
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _block(campaign: Campaign, settings: Settings, name: str, taken: Sequence[Exposure]) -> dict[str, Any]:
    from builder.simulate.truth import draw, nominal_gain

    block, truth = campaign.block(name), settings.truth_of(name)
    gain = nominal_gain(truth)
    present = campaign.detectors_of(block) if block else ()
    common = {"prnu", "a00", "cosmic_rate", "structure", "gradient", "vignetting", "temperature"}
    return {
        **truth.model_dump(include=common),
        "effects": _effects(truth),
        "lamp": {wavelength: rate * gain for wavelength, rate in truth.lamp.items()},
        "detectors": {
            d.name: {
                channel: asdict(drawn)
                for channel, drawn in draw(settings.seed, name, d.name, d.geometry, truth).items()
            }
            for d in present
        },
        "tests": _tests(taken),
    }


def _effects(truth: Truth) -> dict[str, Any]:
    """The effects that there are, as they were set, and what follows from them."""
    found = truth.effects.model_dump(mode="json", exclude_defaults=True)
    if truth.effects.brighter_fatter is not None:
        area = area_changes(truth.effects.brighter_fatter)
        n = area.shape[0] // 2
        found["brighter_fatter"] |= {
            "a00": area[n, n], "a10": area[n, n + 1], "a01": area[n + 1, n],
        }  # fmt: skip
    return found


def _tests(taken: Sequence[Exposure]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for exposure in taken:
        test = out.setdefault(
            exposure.test, {"first": exposure.number, "last": exposure.number, "exposures": []}
        )
        test["last"] = exposure.number
        test["exposures"].append([exposure.number, exposure.type, exposure.exptime, exposure.wavelength])
    return out


def _faults(shot: Shot) -> list[dict[str, Any]]:
    exposure, name = shot.exposure, shot.detector.name
    return [
        {
            "kind": fault.kind,
            "meaning": FAULTS[fault.kind][1],
            "block": exposure.block,
            "test": exposure.test,
            "exposure": exposure.number,
            "detector": name,
            "channel": fault.channel,
            "amount": fault.strength,
            "file": shot.path,
        }
        for fault in exposure.faults
        if fault.detector in (None, name)
    ]
