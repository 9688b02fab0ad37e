"""Pages for everybody: one heading tree, names on everything, contrast in both themes, a focus that is seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser
Visit = Callable[..., Any]

STRUCTURE = """() => {
    const seen = (e) => e.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true });
    const named = (e) => (e.getAttribute('aria-label') || (e.labels && e.labels.length && e.labels[0].textContent) || e.title || '').trim();
    const levels = [...document.querySelectorAll('main :is(h1,h2,h3,h4,h5,h6)')].filter(seen).map(h => Number(h.tagName[1]));
    const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
    return {
        h1: document.querySelectorAll('h1').length,
        jumps: levels.filter((l, i) => i && l > levels[i - 1] + 1).length,
        unnamed: [...document.querySelectorAll('input:not([type=hidden]), select, textarea')].filter(e => !named(e)).map(e => e.outerHTML),
        mute: [...document.querySelectorAll('a[href], button')].filter(e => seen(e) && !(e.innerText.trim() || named(e) || e.querySelector('img[alt]:not([alt=""])'))).map(e => e.outerHTML.slice(0, 120)),
        alt: [...document.images].filter(i => !i.alt.trim()).map(i => i.getAttribute('src')),
        twice: ids.filter((id, i) => ids.indexOf(id) !== i),
        headless: [...document.querySelectorAll('table:is(.data, .matrix, .status-matrix)')].filter(t => !t.querySelector('thead th[scope=col]')).length,
        lang: document.documentElement.lang, title: document.title.trim(), mains: document.querySelectorAll('main').length,
    };
}"""

CONTRAST = """(selector) => {
    const channel = (c) => { const s = c / 255; return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4; };
    const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = (text) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1); const d = canvas.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
    const behind = (e) => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] > 0.99) return c; } return [255, 255, 255, 1]; };
    const out = {};
    for (const e of document.querySelectorAll(selector)) {
        if (!e.checkVisibility() || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
        const a = light(rgba(getComputedStyle(e).color)), b = light(behind(e));
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), name = (e.closest('.status') || e).tagName + '.' + (e.closest('.status') || e).className;
        if (!(name in out) || ratio < out[name]) out[name] = ratio;
    }
    return out;
}"""

TOLD_BY_COLOUR = (
    ".status .word, .status .shape, .tag, .severity, .flag, .channel, .matrix td > b, .caveat-severity, .caveat-by, .muted, .none, .empty, .tally li, "
    ".badge-count, td small, .own-limit, .table-count, main a, .crumbs a, figcaption, .navigator a, .bd-header a"
)


def test_structure_and_names(visit: Visit, kinds: dict[str, str]) -> None:
    visitor = visit()
    bad: dict[str, Any] = {}
    for kind, address in kinds.items():
        found = visitor.open(address).evaluate(STRUCTURE)
        wrong = {k: v for k, v in found.items() if k not in ("h1", "mains", "lang", "title") and v}
        if wrong or found["h1"] != 1 or found["mains"] != 1 or found["lang"] != "en" or not found["title"]:
            bad[kind] = found
    assert bad == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast(visit: Visit, kinds: dict[str, str], theme: str) -> None:
    """What is small or coloured stands out at 4.5 to 1 or more (WCAG 2, 1.4.3), whatever it stands on."""
    visitor = visit(color_scheme=theme)
    low: dict[str, float] = {}
    chips = set()
    for address in kinds.values():
        page = visitor.open(address)
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        found = page.evaluate(CONTRAST, TOLD_BY_COLOUR)
        chips |= {name for name in found if "SPAN.status" in name}
        low |= {f"{address}: {name}": round(ratio, 2) for name, ratio in found.items() if ratio < 4.5}
    assert low == {}
    assert len(chips) >= 4, "too few kinds of status chips were met"


def test_the_focus_is_seen(visit: Visit, kinds: dict[str, str]) -> None:
    visitor = visit()
    for kind in ("home", "exposures", "photon transfer test", "search"):
        page = visitor.open(kinds[kind])
        for _ in range(40):
            page.keyboard.press("Tab")
            seen = page.evaluate(
                """(() => { const e = document.activeElement; if (e === document.body) return true;
                const s = getComputedStyle(e); return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 1; })()"""
            )
            assert seen, page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
