"""Point sources on dark frames: where they are, how bright, and how wide along rows and columns.

Widths are those of the Gaussian that matches the image under itself as weight (G. M. Bernstein & M. Jarvis, 2002, AJ 123, 583): with W that Gaussian, its centre c
and its variances are where

    c = Σ W I r / Σ W I,    σ² = 2 Σ W I (r − c)² / Σ W I

so that wings and neighbours, which W does not see, count little. Of a Gaussian image it is the image itself. What lies under a source is the median of its stamp's rim.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.brighter_fatter.spot import FWHM
from analysis.contract import FrameInput
from campaign.frozen import dataclass
from campaign.geometry import Channel

Floats = NDArray[np.float64]

_CLEAR = 50.0  # peak over the noise of a pixel from which a source is measured
_DARK = 0.25  # fraction of pixels that sources may cover
_BESIDE = 0.01  # of a source's peak: a neighbour this bright spoils it
_MOST = 1000  # sources of a frame: the brightest
_ROUNDS, _CLOSE = 100, 1e-5  # of the matching; σ² in pixel²
_SAMPLE = 100_000  # pixels that tell background and noise


@dataclass(frozen=True)
class Sources:
    """Sources of frames: ``places`` (y, x) in the channel [pixels], ``peaks`` [ADU] of the matched Gaussian, its full ``widths`` along (y, x) [pixels].

    ``places`` and ``widths`` have the shape (n, 2), ``peaks`` (n,).
    """

    places: Floats
    peaks: Floats
    widths: Floats

    @classmethod
    def joined(cls, parts: list[Sources]) -> Sources:
        """Those of several frames."""
        none = cls(np.zeros((0, 2)), np.zeros(0), np.zeros((0, 2)))
        held = [none, *parts]
        return cls(
            *(np.concatenate([getattr(p, name) for p in held]) for name in ("places", "peaks", "widths"))
        )


def sources_of(frame: FrameInput, channel: Channel, half: int, saturation: float) -> Sources:
    """The sources of one channel of a frame that have no neighbour and no pixel at ``saturation`` [ADU] within ``half`` pixels.

    None where light is all over the frame. Raises what reading pixels raises.
    """
    image = np.asarray(frame.pixels.read(channel, channel.image), np.float32)
    places = _peaks(image, half)
    if not places.size:
        return Sources.joined([])
    reach = np.arange(-half, half + 1)
    stamps = image[
        places[:, :1, np.newaxis] + reach[:, np.newaxis], places[:, 1:, np.newaxis] + reach
    ].astype(np.float64)
    good = np.isfinite(stamps).all(axis=(1, 2)) & (stamps.max(axis=(1, 2)) < saturation)
    found, sound = matched(stamps[good])
    return Sources(found.places[sound] + places[good][sound], found.peaks[sound], found.widths[sound])


def _peaks(image: NDArray[np.float32], half: int) -> NDArray[np.int64]:
    """Brightest pixels (y, x) of sources that stand alone, shape (n, 2)."""
    from scipy.ndimage import maximum_filter

    step = max(1, int(sqrt(image.size / _SAMPLE)))
    sample = image[::step, ::step]
    sample = sample[np.isfinite(sample)]
    none = np.zeros((0, 2), np.int64)
    if not sample.size:
        return none
    dark = float(np.median(sample))
    noise = max(1.4826 * float(np.median(np.abs(sample - dark))), 0.5)
    least = np.float32(dark + _CLEAR * noise)
    with np.errstate(invalid="ignore"):
        bright = image > least
    if bright.mean() > _DARK:
        return none
    held = np.where(np.isfinite(image), image, np.float32(dark))
    y, x = np.nonzero(bright & (held == maximum_filter(held, 5)))
    order = np.argsort(-held[y, x], kind="stable")[:_MOST]
    places, peaks = np.stack([y[order], x[order]], axis=1), held[y[order], x[order]] - dark
    apart = np.abs(places[:, np.newaxis] - places).max(axis=2)
    near = (apart <= 2 * half) & (peaks > _BESIDE * peaks[:, np.newaxis])
    inside = ((places >= half) & (places < np.array(image.shape) - half)).all(axis=1)
    found: NDArray[np.int64] = places[inside & (near.sum(axis=1) == 1)]  # itself alone
    return found


def matched(stamps: Floats) -> tuple[Sources, NDArray[np.bool_]]:
    """The matching Gaussians of stamps [ADU], shape (n, side, side), places counted from their middles; and where there is one inside its stamp."""
    n, side = stamps.shape[0], stamps.shape[1]
    half = side // 2
    rim = np.ones((side, side), np.bool_)
    rim[2:-2, 2:-2] = False
    light = stamps - np.median(stamps[:, rim], axis=1)[:, np.newaxis, np.newaxis]
    reach = np.arange(-half, half + 1, dtype=np.float64)
    centre, variance = np.zeros((n, 2)), np.full((n, 2), (half / 4.0) ** 2)
    total, change = np.ones(n), np.full((n, 2), np.inf)
    with np.errstate(all="ignore"):
        for _ in range(_ROUNDS):
            away = reach[np.newaxis, np.newaxis] - centre[:, :, np.newaxis]  # source, axis, pixel
            bell = np.exp(-0.5 * away**2 / variance[:, :, np.newaxis])
            down, across = (
                np.einsum(f"nyx,n{a}->n{b}", light, bell[:, i]) for i, a, b in ((1, "x", "y"), (0, "y", "x"))
            )
            parts = np.stack(
                [down * bell[:, 0], across * bell[:, 1]], axis=1
            )  # what each row and column holds
            total = parts[:, 0].sum(axis=1)
            shift = (parts * away).sum(axis=2) / total[:, np.newaxis]
            moment = (parts * away**2).sum(axis=2) / total[:, np.newaxis] - shift**2
            # of a Gaussian under a Gaussian weight 1/M is the sum of both 1/σ²: one round were enough
            fresh = np.clip(1.0 / (1.0 / moment - 1.0 / variance), 0.05, half**2)
            centre, change, variance = centre + shift * fresh / moment, fresh - variance, fresh
            if not (np.abs(change) > _CLOSE).any():
                break
        sound = (np.abs(change) < 10 * _CLOSE).all(axis=1) & (np.abs(centre) < 2.0).all(axis=1) & (total > 0)
        sound &= (variance < (half / 2.0) ** 2).all(axis=1)
        peaks = total / (np.pi * np.sqrt(variance.prod(axis=1)))
    return Sources(centre, peaks, FWHM * np.sqrt(variance)), sound
