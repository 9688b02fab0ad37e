"""Shots: every frame of the plan with its path, and a digest of all that its pixels depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from builder.simulate.headers import Style
from builder.simulate.logs import by_day, log_name, log_text
from builder.simulate.plan import Exposure
from builder.simulate.settings import Settings
from campaign.model import Block, Campaign, Detector

RECIPE = "2"
"""Raised when the same settings give other pixels, so that frames of an earlier simulator are made anew."""


@dataclass(frozen=True)
class Shot:
    """One detector's frame of an exposure. ``path`` is relative to the data root; ``lost``: never written."""

    exposure: Exposure
    block: Block
    detector: Detector
    path: str
    recipe: str
    lost: bool


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
            for exposure in exposures:
                name = style.file_name(exposure, detector.name, len(present) > 1)
                path = _join(block_folder(campaign, block_id), style.folder(exposure), name)
                lost = exposure.strikes("missing-frame", detector.name) is not None
                mine = replace(
                    exposure, faults=tuple(f for f in exposure.faults if f.detector in (None, detector.name))
                )
                out.append(Shot(exposure, block, detector, path, digest(f"{ground}{mine!r}"), lost))
    return out


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
