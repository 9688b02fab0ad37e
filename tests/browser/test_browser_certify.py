"""Deciding in the browser: the form yields the right line, the review is walked by keys, and both work without scripts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from campaign.certification import DECIDED, REASONED, REASONS, Decision
from campaign.certification_file import COLUMNS, cell, read_file

pytestmark = pytest.mark.browser
Visit = Callable[..., Any]
TEST, REVIEW = "blocks/BORN/tests/PTC01.html", "review/BORN/BIAS01.html"
HEAD = ",".join(COLUMNS) + "\n"


def known(site: Path) -> dict[str, dict[str, str]]:
    held: dict[str, dict[str, str]] = json.loads((site / "data/subjects.json").read_text("utf-8"))
    return held


def read(folder: Path, text: str) -> list[Decision]:
    (folder / "c.csv").write_text(HEAD + text + "\n", "utf-8", newline="")
    held, findings = read_file(folder / "c.csv", REASONS)
    assert findings == []
    return list(held)


def test_the_form_yields_the_line(visit: Visit, site: Path, tmp_path: Path) -> None:
    visitor = visit()
    page = visitor.open(TEST)
    page.locator("details.certify > summary").click()
    area, wrong = page.locator("#certification textarea"), page.locator(".certify-wrong")
    assert area.input_value() == "" and "Say who" in wrong.inner_text()
    page.get_by_label("Who", exact=True).fill("Zoë O'Nym, Dr.")
    page.get_by_label("Decision", exact=True).select_option("rejected")
    assert area.input_value() == "" and "reason" in wrong.inner_text()
    page.get_by_label("Reason", exact=True).select_option("lamp")
    figures = [p for p in known(site)["parts"]["BORN/PTC01/photon_transfer/CCD2"] if p.startswith("figure:")]
    subject = f"BORN/PTC01/photon_transfer/CCD2#{figures[0]}"
    page.get_by_label("About", exact=True).select_option(subject)
    page.get_by_label("In words").fill('=HYPERLINK("http://x"), "odd"')
    (held,) = read(tmp_path, area.input_value())
    assert (held.who, held.decision, held.reason, held.subject) == (
        "Zoë O'Nym, Dr.",
        "rejected",
        "lamp",
        subject,
    )
    assert held.text == '=HYPERLINK("http://x"), "odd"'
    assert held.date is not None
    assert held.result == known(site)["results"]["BORN/PTC01/photon_transfer/CCD2"]
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "BORN-PTC01-certification.csv"
    assert Path(download.value.path()).read_text("utf-8") == HEAD + area.input_value() + "\n"
    page.get_by_role("button", name="Copy").last.click()
    page.locator(".certify-output [role=status]", has_text="certification.csv").wait_for()
    page.locator("section#log a").first.click()
    page.locator("details.certify > summary").click()
    assert page.get_by_label("Who", exact=True).input_value() == "Zoë O'Nym, Dr."  # remembered


def test_page_and_command_write_cells_alike(visit: Visit) -> None:
    page = visit().open(TEST)
    texts = [
        "",
        "a",
        "=1",
        "'=1",
        "''-x",
        "'a",
        "a,b",
        'a"b',
        "a;b",
        "a\tb",
        "a\nb",
        "\r\nx",
        " a",
        "a ",
        "+",
        "@x",
        "＝1",
        "-",
        "é",
    ]
    assert page.evaluate("(texts) => texts.map(window.calbookCertify.cell)", texts) == [
        cell(t) for t in texts
    ]
    assert set(page.evaluate("window.calbookCertify.REASONED")) == REASONED
    page.locator("details.certify > summary").click()
    options = page.get_by_label("Decision", exact=True).locator("option").all_inner_texts()
    assert options == list(DECIDED)


def test_a_review_is_walked_with_keys(visit: Visit, site: Path, tmp_path: Path) -> None:
    visitor = visit()
    page = visitor.open(REVIEW)
    shown, items = page.locator(".review-item:visible"), page.locator(".review-item")
    total = items.count()
    assert shown.count() == 1 and total > 20
    first, second = (items.nth(n).get_attribute("data-subject") for n in (0, 1))
    press = page.keyboard.press
    press("j")
    assert shown.get_attribute("data-subject") == second
    press("ArrowLeft")
    assert shown.get_attribute("data-subject") == first
    press("r")  # a rejection without a reason is not taken: the reason is asked for
    assert page.locator(".review-gathered tbody tr").count() == 0
    assert page.evaluate("document.activeElement.tagName") == "SELECT"
    press("j")  # in the list of reasons a key chooses, and moves nothing
    assert shown.get_attribute("data-subject") == first
    page.locator(".review-items").focus()
    press("a")
    assert shown.get_attribute("data-subject") == second
    press("2")
    press("r")
    press("End")
    assert shown.get_attribute("data-kind") == "product"
    press("v")
    press("Home")
    before = shown.locator("img").first.bounding_box()["width"]
    press("+")
    press("i")
    assert shown.locator("img").first.bounding_box()["width"] > before
    assert "invert(1)" in shown.locator("img").first.get_attribute("style")
    area = page.locator(".review-gathered textarea")
    assert area.input_value() == ""  # nobody has signed yet
    page.get_by_label("Who", exact=True).fill("Ann")
    held = read(tmp_path, area.input_value())
    assert [(d.who, d.decision, d.reason) for d in held] == [
        ("Ann", "accepted", ""), ("Ann", "rejected", "lamp"), ("Ann", "reviewed", ""),
    ]  # fmt: skip
    assert [d.subject for d in held[:2]] == [first, second]
    results = known(site)["results"]
    for d in held:
        assert len(d.result) >= 16 and results[d.subject.partition("#")[0]].startswith(d.result)
    page.reload()  # what was decided is still there
    assert len(read(tmp_path, page.locator(".review-gathered textarea").input_value())) == 3
    page.locator(".review-items").focus()
    press("Home")
    press("u")
    page.get_by_role("button", name="Take back").last.click()
    assert [d.decision for d in read(tmp_path, page.locator(".review-gathered textarea").input_value())] == [
        "rejected"
    ]


def test_deciding_needs_no_scripts(visit: Visit) -> None:
    page = visit(java_script_enabled=False).open(TEST)
    page.locator("details.certify > summary").click()
    assert "calbook certify FOLDER BORN/PTC01" in page.locator(".certify-typed").inner_text()
    assert page.locator(".certify-choices li:visible").count() > 3
    page = visit(java_script_enabled=False).open(REVIEW)
    items = page.locator(".review-item")
    assert items.count() == page.locator(".review-item:visible").count() > 20
    assert "calbook certify" in page.locator("main noscript").inner_text()
