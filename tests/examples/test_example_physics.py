"""The camera of known effects: every procedure's numbers agree with what the simulator put into the frames, and hand their products on.

The simulator shares no code with the estimators. Of each quantity the pulls (value less truth, over the uncertainty) of the four
channels are taken together: their squares' sum is χ² of four degrees of freedom, and exceeds 23.5 with a chance of 10⁻⁴.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import hypot, pi, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from numpy.typing import NDArray

from analysis import in_memory
from analysis.contract import FrameInput
from analysis.in_memory import frame_input, inputs, measured
from analysis.masks import BITS
from analysis.photon_transfer import PROCEDURE
from analysis.procedures import builtin
from builder.products import read_product
from builder.simulate.effects.glow import amplifier_glow
from builder.simulate.effects.non_linearity import polynomial
from builder.simulate.gathered import hot_now, released
from builder.simulate.plan import exposures
from builder.simulate.reading import read
from builder.simulate.scene import scene
from builder.simulate.shots import lingering
from builder.simulate.truth import draw
from campaign.load import load

pytestmark = pytest.mark.slow

BEYOND = 23.5
"""χ² of four degrees of freedom that chance exceeds once in ten thousand."""

Truth = Mapping[str, Any]
Rows = list[dict[str, str]]
SIDE = 128


@pytest.fixture(scope="module")
def truth(built_physics: Path) -> Truth:
    found: Truth = json.loads((built_physics / "frames/truth.json").read_text("utf-8"))["blocks"]["BENCH"]
    return found


@pytest.fixture(scope="module")
def rows(built_physics: Path) -> Rows:
    with (built_physics / "build/site/data/measurements.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def of(rows: Rows, quantity: str, test: str = "") -> dict[str, tuple[float, float]]:
    """Value and uncertainty by channel."""
    return {
        r["channel"]: (float(r["value"]), float(r["uncertainty"]))
        for r in rows
        if f"{r['procedure']}.{r['quantity']}" == quantity and r["test"].startswith(test) and r["value"]
    }


def channel(truth: Truth, name: str) -> Truth:
    found: Truth = truth["detectors"]["CAM"][name]
    return found


def effect(name: str, *keys: str, factor: float = 1.0) -> Callable[[Truth, str], float]:
    """A number of the effects, the same for all channels."""

    def found(truth: Truth, _: str) -> float:
        value: Any = truth["effects"][name]
        for key in keys:
            value = value[key]
        return factor * float(value)

    return found


def hours(truth: Truth, test: str) -> float:
    """From the first to the last exposure of a test: each takes its time and 30 s more."""
    return float(sum(time + 30.0 for _, _, time, _ in truth["tests"][test]["exposures"][:-1])) / 3600.0


def ratios(truth: Truth, name: str) -> NDArray[np.float64]:
    """Levels over the light that made them, from a fiftieth of saturation to the top of PTC01."""
    bent = truth["effects"]["non_linearity"][name]
    gain = np.mean([channel(truth, n)["gain"] for n in "EFGH"])
    light = np.linspace(100.0, 60_000.0, 200_001)
    levels = polynomial(light, bent)
    top = float(polynomial(np.array([22.0 * 2500.0 * gain / channel(truth, name)["gain"]]), bent)[0])
    inside = (levels >= 0.02 * 65535) & (levels <= top)
    out: NDArray[np.float64] = levels[inside] / light[inside]
    return out


def deviation(truth: Truth, name: str) -> float:
    """Largest |N/(a F) − 1| [%] for the line without deviation on average."""
    ratio = ratios(truth, name)
    return 100.0 * float(np.abs(ratio / ratio.mean() - 1.0).max())


def corrected_gain(truth: Truth, name: str) -> float:
    """Electrons for one ADU of that line, to which levels are corrected; the gain is that of a converter without light."""
    return float(channel(truth, name)["gain"]) / float(ratios(truth, name).mean())


def glow(truth: Truth, name: str) -> float:
    """Rate [ADU/s] in the corner by the node (an eighth each way) less that in the middle."""
    set_to = truth["effects"]["glow"]
    rate = amplifier_glow((SIDE, SIDE), set_to["peak"], set_to["reach"])
    eighth, middle = SIDE // 8, slice(SIDE // 2 - SIDE // 16, SIDE // 2 + SIDE // 16)
    return float(rate[:eighth, :eighth].mean() - rate[middle, middle].mean()) / float(
        channel(truth, name)["gain"]
    )


def leaking(truth: Truth, test: str) -> float:
    """Mean rate [e⁻/s] that leaks in during the darks of a test, which take their time and 30 s more each; none at first."""
    taken = truth["tests"][test]["exposures"]
    since = [sum(time + 30.0 for _, _, time, _ in taken[:n]) / 3600.0 for n in range(len(taken))]
    return float(truth["effects"]["leak"]["growth"]) * float(np.mean(since))


TRUE: dict[str, Callable[[Truth, str], float]] = {
    "bias.pattern_noise": effect("pattern", "amplitude"),
    "bias.pattern_frequency": effect("pattern", "frequency"),
    "dark.dark_current_e": lambda t, c: channel(t, c)["dark_current"] + leaking(t, "DARK01"),
    "dark.light_leak": lambda t, c: t["effects"]["leak"]["growth"] / channel(t, c)["gain"],
    "dark.glow": glow,
    "photon_transfer.gain": corrected_gain,
    "photon_transfer.a00": effect("brighter_fatter", "a00"),
    "gain_stability.level_drift": lambda t, c: 100.0 * t["effects"]["lamp"]["drift"][0],
    "gain_stability.gain_scatter": lambda t, c: 0.0,
    "gain_stability.gain_drift": lambda t, c: 0.0,
    "linearity.max_deviation": deviation,
    "linearity.shutter_offset": lambda t, c: 0.0,
    "linearity.lamp_scatter": effect("lamp", "scatter", factor=100.0),
    "linearity.lamp_drift": lambda t, c: 100.0 * t["effects"]["lamp"]["drift"][0] * hours(t, "PTC01"),
    "brighter_fatter.a00": effect("brighter_fatter", "a00"),
    "brighter_fatter.a10": effect("brighter_fatter", "a10"),
    "brighter_fatter.a01": effect("brighter_fatter", "a01"),
    "brighter_fatter.a00_after": lambda t, c: 0.0,
    "brighter_fatter.a10_after": lambda t, c: 0.0,
    "brighter_fatter.a01_after": lambda t, c: 0.0,
    "charge_transfer.serial_cti": lambda t, c: t["effects"]["serial_cti"],
    "charge_transfer.parallel_cti": lambda t, c: t["effects"]["parallel_cti"],
    "charge_transfer.local_offset": effect("local_offset", "scale"),
    "charge_transfer.local_decay": effect("local_offset", "time"),
    "charge_transfer.trap_size": lambda t, c: t["effects"]["traps"]["size"] / channel(t, c)["gain"],
    "charge_transfer.trap_release": effect("traps", "time"),
    "cosmic_rays.rate_area": effect("muons", "rate"),
    "persistence.decay_time": effect("persistence", "time"),
    "gates.dnl": effect("code_widths", factor=100.0),
    "gates.overscan_change": lambda t, c: 0.0,
    "corrected_flats.rate_change": lambda t, c: 0.0,
}


@pytest.mark.parametrize("quantity", sorted(TRUE))
def test_values_agree_with_the_truth(truth: Truth, rows: Rows, quantity: str) -> None:
    found = of(rows, quantity, "BIAS01" if quantity.startswith("bias") else "")
    assert set(found) >= {"E", "F", "G", "H"} or quantity == "bias.pattern_frequency"
    assert found
    pulls = {c: (value - TRUE[quantity](truth, c)) / error for c, (value, error) in found.items()}
    assert sum(p**2 for p in pulls.values()) < BEYOND, pulls


def test_read_noise_is_right_to_what_unequal_codes_do_to_it(truth: Truth, rows: Rows) -> None:
    """Noise of 1.4 ADU spreads a level over some five codes: it is told in units of their mean width, which no bias frame can know."""
    pulls = []
    for name, (value, error) in of(rows, "bias.read_noise", "BIAS01").items():
        own, pattern = channel(truth, name), truth["effects"]["pattern"]["amplitude"]
        sigma = hypot(own["read_noise"] / own["gain"], pattern / sqrt(2.0))
        of_codes = sigma * truth["effects"]["code_widths"] / sqrt(2.0 * sqrt(pi) * sigma)
        pulls.append((value - sigma) / hypot(error, of_codes))
    assert len(pulls) == 4 and sum(p**2 for p in pulls) < BEYOND


def test_torn_edges_are_told_from_whole_ones(truth: Truth, rows: Rows) -> None:
    """Of a whole edge the largest of four columns' deviations is told, which lies beyond 5 σ once in half a million."""
    for name, (value, error) in of(rows, "gates.tearing").items():
        expected = -100.0 * truth["effects"]["tearing"].get(name, 0.0)
        assert abs(value - expected) < (3.9 if expected else 5.0) * error
    # alike along the column, and H has a dead pixel in its last
    with_count = [
        r for r in rows if (r["procedure"], r["quantity"]) == ("gates", "torn_edges") and r["value"]
    ]
    assert len(with_count) == 4 and all(float(r["value"]) == 0 for r in with_count)


def test_mean_gain_is_right_to_what_is_known_of_the_brighter_fatter_effect(truth: Truth, rows: Rows) -> None:
    """Pairs are corrected with the fitted a₀₀: what it is wrong by, times the mean charge, is in the mean gain."""
    fitted, times = of(rows, "photon_transfer.a00"), [e[2] for e in truth["tests"]["PTC01"]["exposures"]]
    pulls = []
    for name, (value, error) in of(rows, "gain_stability.gain_mean").items():
        gain = corrected_gain(truth, name)
        by_area = gain * fitted[name][1] * float(np.mean(times)) * 2500.0 * 3.3
        pulls.append((value - gain) / hypot(error, by_area))
    assert len(pulls) == 4 and sum(p**2 for p in pulls) < BEYOND


def test_the_table_frees_photon_transfer_of_the_converters_bend(built_physics: Path, truth: Truth) -> None:
    """The same flats with and without the step nonlinearity: a₀₀ and gain move by what the bend had done to them, within the error of the table.

    With N = x (1 + k x/s) a variance C = x/g [1 + a₀₀ x] reads as one with 3 k/(s g) more of a₀₀; levels are corrected to the line of all levels, not to that at zero.
    """
    campaign, _ = load(built_physics)
    assert campaign is not None
    table = read_product(product(built_physics, "PTC01", "linearity_correction.ecsv"), "ecsv")
    frames: dict[str, list[FrameInput]] = {"flat": [], "bias": []}
    for test in ("BIAS01", "PTC01"):
        for number, kind, time, _ in truth["tests"][test]["exposures"]:
            image = fits.getdata(built_physics / f"frames/BENCH/{test}_{number:05d}.fits")
            frames[kind].append(frame_input(image, campaign.detectors[0], kind, number, time))
    found = {}
    for steps in ("", "nonlinearity"):
        asked = inputs(PROCEDURE, campaign.detectors[0], frames, model="exponential", corrections=steps)
        results = measured(PROCEDURE, replace(asked, products={("linearity", "correction"): lambda: table}))
        found[steps] = {q: [in_memory.value(results, q, n) for n in "EFGH"] for q in ("gain", "a00")}
    for quantity in ("gain", "a00"):
        pulls, sizes = [], []
        for n, raw, corrected in zip(
            "EFGH", *(found[s][quantity] for s in ("", "nonlinearity")), strict=True
        ):
            k = truth["effects"]["non_linearity"][n][0] / 65536.0
            expected = {
                "gain": corrected_gain(truth, n) - channel(truth, n)["gain"],
                "a00": -3.0 * k / channel(truth, n)["gain"],
            }
            assert None not in (raw.value, corrected.value, raw.uncertainty, corrected.uncertainty)
            of_table = sqrt(corrected.uncertainty**2 - raw.uncertainty**2)  # type: ignore[operator]
            moved = corrected.value - raw.value  # type: ignore[operator]
            pulls.append((moved - expected[quantity]) / of_table)
            sizes.append(moved / of_table)
        # of nothing to correct: χ² that chance exceeds once in twenty
        assert sum(p**2 for p in pulls) < 9.5 < sum(p**2 for p in sizes), (quantity, pulls, sizes)


def test_noise_of_channels_goes_together(truth: Truth, rows: Rows) -> None:
    """Of three correlations of a channel the largest is told: about 0.85 σ above the truth, of three normal values."""
    for name, (value, error) in of(rows, "bias.noise_correlation", "BIAS01").items():
        sigma = channel(truth, name)["read_noise"] / channel(truth, name)["gain"]
        expected = truth["effects"]["noise_correlation"] * sigma**2 / (sigma**2 + 1 / 12 + 0.02)
        assert abs(value - expected - 0.85 * error) < 4.0 * hypot(error, 0.05 * expected)


def test_every_coefficient_of_crosstalk(built_physics: Path, truth: Truth) -> None:
    table = Table.read(product(built_physics, "SPOTS01", "crosstalk_matrix.ecsv"), format="ascii.ecsv")
    pulls = []
    for row in table:
        victim, source = str(row["victim"]), str(row["aggressor"])
        expected = truth["effects"]["crosstalk"].get(victim, {}).get(source, 0.0)
        pulls.append((float(row["coefficient"]) - expected) / float(row["error"]))
    assert len(pulls) == 12
    assert sum(p**2 for p in pulls) < 39.1  # χ² of twelve degrees of freedom, once in ten thousand


def product(folder: Path, test: str, name: str) -> Path:
    return folder / "build/site/products/BENCH" / test / f"CAM_{name}"


def planes(path: Path) -> dict[str, NDArray[np.generic]]:
    with fits.open(path, memmap=False) as held:
        return {str(h.header["EXTNAME"]): h.data for h in held if isinstance(h, fits.ImageHDU)}


def test_planted_pixels_are_in_the_mask_with_their_class(built_physics: Path, truth: Truth) -> None:
    campaign, _ = load(built_physics)
    assert campaign is not None
    geometry = campaign.detectors[0].geometry
    for name, mask in planes(product(built_physics, "FLAT01", "defects_mask.fits")).items():
        image, own = geometry.channel(name).image, channel(truth, name)

        def at(held: list[list[float]], box: Any = image) -> set[tuple[int, int]]:
            return {(int(y) - box.y0, int(x) - box.x0) for y, x, _ in held}

        def where(*kinds: str, held: Any = mask) -> set[tuple[int, int]]:
            bits = sum(BITS[k] for k in kinds)
            return {(int(y), int(x)) for y, x in zip(*np.nonzero(held & bits), strict=True)}

        switching = at(own["telegraph"])  # on or off in each frame: see the merged mask
        assert where("hot") - switching == at([h for h in own["hot"] if h[2] > 5.0]) | at(own["annealed"])
        assert where("noisy") == at(own["noisy"])
        # charge comes over the borders into a pixel that responds to nothing: dark, and not dead
        assert where("dark", "dead") == at(own["dead"])
        assert where("non-linear") == at(own["bent"]) | at(own["dead"])
        # what else is in it: particles, and G's torn column
        other = {p for p in where(*BITS) if name != "G" or p[1] not in (0, 1, SIDE - 2, SIDE - 1)}
        other -= switching | at(own["annealed"])
        assert len(other - at(own["hot"]) - at(own["noisy"]) - at(own["dead"]) - at(own["bent"])) <= 8


def test_the_merged_mask_and_what_came_and_went_are_as_planted(
    built_physics: Path, truth: Truth, rows: Rows
) -> None:
    """Of pixels that changed for good all; of telegraph pixels those whose state was one in all darks of an epoch."""
    campaign, _ = load(built_physics)
    assert campaign is not None
    settings, _ = read(campaign)
    assert settings is not None
    geometry, set_to = campaign.detectors[0].geometry, settings.truth_of("BENCH")
    drawn = draw(settings.seed, "BENCH", "CAM", geometry, set_to)
    darks = [e for e in exposures(campaign, settings)["BENCH"] if e.type == "dark"]
    of_epoch = {
        test: [
            {p[:2] for p in hot_now(settings.seed, e, "CAM", set_to, drawn)} for e in darks if e.test == test
        ]
        for test in ("DARK01", "EPOCH02")
    }
    table = Table.read(product(built_physics, "EPOCH02", "defect_history_changed.ecsv"), format="ascii.ecsv")
    courses = {(int(r["y"]), int(r["x"])): str(r["course"]) for r in table}
    # a pixel that was high in more darks of one half of an epoch than of the other is unstable, of telegraph pixels no other
    unstable = 0
    for test, dark in (("FLAT01", "DARK01"), ("EPOCH02", "EPOCH02")):
        masks = planes(product(built_physics, test, "defects_mask.fits"))
        for name in "EFGH":
            image, hot = geometry.channel(name).image, of_epoch[dark]
            for y, x, _ in channel(truth, name)["telegraph"]:
                first, second = (sum((y, x) in one for one in half) for half in (hot[:3], hot[3:]))
                marked = int(masks[name][int(y) - image.y0, int(x) - image.x0]) & BITS["unstable"]
                assert bool(marked) == (first != second), (test, name, y, x)
                unstable += first != second
    assert unstable >= 3
    merged, before, after = (
        planes(product(built_physics, test, f"{name}_mask.fits"))
        for test, name in (("EPOCH02", "defect_history"), ("FLAT01", "defects"), ("EPOCH02", "defects"))
    )
    known = 0
    for name in "EFGH":
        own, image = channel(truth, name), geometry.channel(name).image
        assert {courses[int(y), int(x)] for y, x, _ in own["late"]} == {"appeared"}
        assert {courses[int(y), int(x)] for y, x, _ in own["annealed"]} == {"gone"}
        for y, x, _ in own["telegraph"]:
            was, is_now = ({(y, x) in hot for hot in of_epoch[test]} for test in ("DARK01", "EPOCH02"))
            if len(was) == len(is_now) == 1:
                course = {(False, True): "appeared", (True, False): "gone"}.get((was.pop(), is_now.pop()))
                assert courses.get((int(y), int(x))) == course
                known += 1
        # half of two epochs is one: all that either has
        assert np.array_equal(merged[name] != 0, (before[name] != 0) | (after[name] != 0))
        for y, x, _ in [*own["hot"], *own["late"], *own["annealed"]]:
            assert merged[name][int(y) - image.y0, int(x) - image.x0] & (BITS["hot"] | BITS["warm"])
        new, gone = (of(rows, f"defect_history.{q}", "EPOCH02")[name][0] for q in ("added", "removed"))
        assert new == sum(c == "appeared" for p, c in courses.items() if inside(p, image))
        assert gone == sum(c == "gone" for p, c in courses.items() if inside(p, image))
        assert of(rows, "defect_history.bad_area", "EPOCH02")[name][0] == pytest.approx(100.0 * np.mean(merged[name] != 0))  # fmt: skip
    assert known >= 6
    with fits.open(product(built_physics, "EPOCH02", "defect_history_mask.fits")) as held:
        assert held[0].header["EPOCH1"] == "BENCH/FLAT01 2025-01-15T10:11:34+00:00"


def inside(place: tuple[int, int], box: Any) -> bool:
    return bool(box.y0 <= place[0] < box.y1 and box.x0 <= place[1] < box.x1)


def test_the_residual_is_what_traps_gave_off_in_the_saturated_pixels(built_physics: Path, rows: Rows) -> None:
    """Expected in the mask of the pixels that saturated, from the simulator's own maps."""
    campaign, _ = load(built_physics)
    assert campaign is not None
    settings, _ = read(campaign)
    assert settings is not None
    geometry, truth = campaign.detectors[0].geometry, settings.truth_of("BENCH")
    every = exposures(campaign, settings)["BENCH"]
    after = next(e for e in every if e.test == "PERSIST01" and e.type == "dark" and e.since > 500.0)
    maps = scene(
        settings.seed, "BENCH", "CAM", geometry, truth, draw(settings.seed, "BENCH", "CAM", geometry, truth)
    )
    before = lingering(every[: every.index(after)], after, truth)
    assert [e.type for e in before] == ["point"]
    given = released(settings.seed, after, before, "CAM", geometry, truth, maps)
    assert given is not None
    masks = planes(product(built_physics, "PERSIST01", "persistence_mask.fits"))
    pulls = []
    for name, (value, error) in of(rows, "persistence.residual").items():
        one = geometry.channel(name)
        held = given[one.image.slices][(masks[name] & BITS["saturated"]) != 0]
        pulls.append(
            (value - float(held.mean()) * float(maps.per_electron[one.image.y0, one.image.x0])) / error
        )
    assert len(pulls) == 4 and sum(p**2 for p in pulls) < BEYOND, pulls


def test_corrections_of_other_tests_leave_nothing_of_what_was_there(rows: Rows) -> None:
    before, after = of(rows, "corrected_flats.rate_change_raw"), of(rows, "corrected_flats.rate_change")
    assert sum((v / e) ** 2 for v, e in before.values()) > 3 * BEYOND
    assert sum((v / e) ** 2 for v, e in after.values()) < BEYOND


def result_of(rows: Rows, procedure: str) -> str:
    """The result of a procedure, of defects that of the first epoch."""
    (result,) = {
        r["result_id"].partition(".")[0]
        for r in rows
        if r["procedure"] == procedure and r["test"] != "EPOCH02"
    }
    return result


def page_of(folder: Path, rows: Rows, procedure: str) -> str:
    result = result_of(rows, procedure)
    return (folder / "build/site/measurements" / f"{result}.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("taker", "product_name", "maker"),
    [
        ("corrected_flats", "linearity.correction", "linearity"),
        ("corrected_flats", "brighter_fatter.kernel", "brighter_fatter"),
        ("corrected_flats", "defects.mask", "defects"),
        ("corrected_flats", "defect_history.mask", "defect_history"),
        ("persistence", "defect_history.mask", "defect_history"),
        ("persistence", "defects.mask", "defects"),
        ("crosstalk", "defects.mask", "defects"),
        ("cosmic_rays", "defects.mask", "defects"),
    ],
)
def test_a_product_that_was_taken_is_shown_with_the_result_that_made_it(
    built_physics: Path, rows: Rows, taker: str, product_name: str, maker: str
) -> None:
    result = result_of(rows, maker)
    shown = re.search(
        rf"<li>{re.escape(product_name)}: <a href=\"{result}\.html\"[^>]*>(.*?)</a>",
        page_of(built_physics, rows, taker),
    )
    assert shown is not None
    test = next(r["test"] for r in rows if r["procedure"] == maker)
    assert shown.group(1).endswith(f"of {test}")


def test_the_page_of_a_later_epoch_tells_what_became_of_each_class(built_physics: Path, truth: Truth) -> None:
    page = (built_physics / "build/site/blocks/BENCH/tests/EPOCH02.html").read_text("utf-8")
    rows = re.findall(
        r'<tr><th scope="row">([EFGH])</th><td>([\w-]+)</td>' + r'<td class="num">([\d.]+)</td>' * 4, page
    )
    found = {(name, bit): tuple(map(float, numbers)) for name, bit, *numbers in rows}
    for name in "EFGH":
        own = channel(truth, name)
        assert found[name, "dark"] == (len(own["dead"]), 0, 0, 1.0)
        kept, added, removed, _ = found[name, "hot"]
        # pixels that appeared and annealed; telegraph pixels may have done either
        assert 0 <= kept - len(own["hot"]) <= len(own["telegraph"])
        assert 0 <= added - len(own["late"]) <= len(own["telegraph"])
        assert 0 <= removed - len(own["annealed"]) <= len(own["telegraph"])


def test_defects_can_be_laid_over_a_frame(built_physics: Path, truth: Truth) -> None:
    """The regions of hot pixels are where the simulator put them, in pixels from one, and the page links the file."""
    path = product(built_physics, "FLAT01", "defects_regions.reg")
    lines = path.read_text("ascii").splitlines()
    assert lines[0].startswith("# Region file format: DS9") and "# TEST = FLAT01" in lines
    boxes = {line.partition(" # ")[0] for line in lines[lines.index("image") + 1 :] if "tag={hot}" in line}
    planted, switching = (
        {f"box({x + 1:g},{y + 1:g},1,1,0)" for n in "EFGH" for kind in kinds for y, x, _ in channel(truth, n)[kind]}
        for kinds in (("hot", "annealed"), ("telegraph",))
    )  # fmt: skip
    assert boxes - switching == planted
    page = (built_physics / "build/site/blocks/BENCH/tests/FLAT01.html").read_text("utf-8")
    assert re.search(r'<a href="[^"]*CAM_defects_regions\.reg"[^>]* download', page)


def test_every_procedure_ran_and_nothing_is_wrong(built_physics: Path, rows: Rows) -> None:
    assert {r["procedure"] for r in rows} == {p.name for p in builtin()} | {"corrected_flats"}
    held = json.loads((built_physics / "build/site/data/campaign.json").read_text("utf-8"))
    assert held["findings"] == []


def test_verdicts_tell_what_was_planted(rows: Rows) -> None:
    failing = {(r["test"], r["quantity"], r["channel"]) for r in rows if r["verdict"] == "fail"}
    assert failing == {("FLAT01", "tearing", "G"), ("BIAS02", "read_noise_e", "F")}
    passing = {r["procedure"] for r in rows if r["verdict"] == "pass"}
    assert passing == {p.name for p in builtin()} - {"flat"}


def test_pages_of_many_procedures_stay_light(built_physics: Path) -> None:
    """A test of five procedures too is under 100 kB of HTML, and with the page of all its numbers every number is there."""
    site = built_physics / "build/site"
    pages = sorted(site.glob("blocks/BENCH/tests/*.html"))
    assert {p.name: p.stat().st_size for p in pages if p.stat().st_size > 100_000} == {}
    with (site / "data/measurements.csv").open(encoding="utf-8", newline="") as file:
        held = Counter(row["test"] for row in csv.DictReader(file))
    for page in pages:
        numbers = site / f"blocks/BENCH/tests/{page.stem}/numbers.html"
        whole = (numbers if numbers.exists() else page).read_text("utf-8")
        assert whole.count('<td class="cell') == held[page.stem], page.stem
        assert numbers.exists() == (held[page.stem] > 100)
