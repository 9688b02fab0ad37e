"""Shots: every frame of the plan with its path, and a digest of all that its pixels depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from builder.simulate.gathered import LIGHT
from builder.simulate.headers import Style
from builder.simulate.logs import by_day, log_name, log_text
from builder.simulate.plan import Exposure
from builder.simulate.settings import Settings, Truth
from builder.simulate.truth import nominal_gain
from campaign.frozen import dataclass
from campaign.model import Block, Campaign, Detector

RECIPE = "2"
"""Raised when the same settings give other pixels, so that frames of an earlier simulator are made anew."""

FORGOTTEN = 12.0
"""Time constants after which traps have given off all but six millionths."""

UNEVEN = 2.0
"""How far a pixel's light may lie above that of the lamp: illumination, response and drift together."""


@dataclass(frozen=True)
class Shot:
    """One detector's frame of an exposure. ``path`` is relative to the data root; ``lost``: never written.

    ``before`` are the exposures whose light the detector's traps may still hold.
    """

    exposure: Exposure
    block: Block
    detector: Detector
    path: str
    recipe: str
    lost: bool
    before: tuple[Exposure, ...] = ()


def all_shots(campaign: Campaign, settings: Settings, planned: Mapping[str, list[Exposure]]) -> list[Shot]:
    """Every frame of the plan, by block and detector, in order of exposure."""
    style = Style.of(campaign)
    out: list[Shot] = []
    for block_id, exposures in planned.items():
        block = campaign.block(block_id)
        if block is None:
            continue
        present = campaign.detectors_of(block)
        for detector in present:
            ground = repr(
                (
                    RECIPE,
                    settings.seed,
                    style,
                    detector,
                    settings.truth_of(block_id),
                    sorted(block.hardware.items()),
                )
            )
            for number, exposure in enumerate(exposures):
                name = style.file_name(exposure, detector.name, len(present) > 1)
                path = _join(block_folder(campaign, block_id), style.folder(exposure), name)
                lost = exposure.strikes("missing-frame", detector.name) is not None
                mine = replace(
                    exposure, faults=tuple(f for f in exposure.faults if f.detector in (None, detector.name))
                )
                before = lingering(exposures[:number], exposure, settings.truth_of(block_id))
                recipe = digest(f"{ground}{mine!r}{before!r}" if before else f"{ground}{mine!r}")
                out.append(Shot(exposure, block, detector, path, recipe, lost, before))
    return out


def lingering(earlier: Sequence[Exposure], exposure: Exposure, truth: Truth) -> tuple[Exposure, ...]:
    """The earlier exposures that filled traps, as far back as these hold more than a thousandth of a percent."""
    traps = truth.effects.persistence
    if traps is None:
        return ()
    found = []
    for one in earlier:
        past = (exposure.begun - one.begun).total_seconds() - one.exptime
        if one.type not in LIGHT or past > FORGOTTEN * traps.time:
            continue
        strongest = max((f.strength for f in one.faults if f.kind == "saturated"), default=1.0)
        light = truth.lamp[one.wavelength] * nominal_gain(truth) * one.exptime * strongest
        if UNEVEN * light > traps.onset:
            found.append(one)
    return tuple(found)


def all_logs(campaign: Campaign, settings: Settings, planned: Mapping[str, list[Exposure]]) -> dict[str, str]:
    """The text of every exposure log by its path relative to the root; none for plain cameras."""
    out: dict[str, str] = {}
    if not Style.of(campaign).euclid:
        return out
    for block_id, exposures in planned.items():
        block = campaign.block(block_id)
        if block is None:
            continue
        names, truth = [d.name for d in campaign.detectors_of(block)], settings.truth_of(block_id)
        for day, taken in by_day(exposures).items():
            path = _join(block_folder(campaign, block_id), day, log_name(taken[0]))
            out[path] = log_text(taken, block, names, truth)
    return out


def block_folder(campaign: Campaign, block: str) -> str:
    """The folder of a block's frames, relative to the root."""
    return campaign.data.block_folders.get(block, block)


def digest(text: str) -> str:
    """A short digest (16 hexadecimal digits)."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _join(*parts: str) -> str:
    return "/".join(p for p in parts if p)
