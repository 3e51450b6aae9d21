"""The studio in a real browser: asked, looked at, by keyboard, on a phone, in the dark, and accessible."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

ROOMS = ("ask", "media", "masks", "animate", "regional", "federated", "models", "store")


def shoot(page: Page, pictures: Path | None, name: str) -> None:
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=pictures / f"{name}.png")


def ask(page: Page, query: str) -> None:
    page.get_by_label("Question in SQL").fill(query)
    page.get_by_role("button", name="Run").click()


def test_the_first_question(page: Page, studio: str, pictures: Path | None) -> None:
    page.goto(studio)
    page.get_by_role("button", name="Who is nearest to the camera?").click()
    page.keyboard.press("Control+Enter")
    thumbnails = page.locator(".thumb img")
    expect(thumbnails).to_have_count(8, timeout=60_000)
    expect(thumbnails.first).to_have_js_property("naturalWidth", 480, timeout=30_000)
    expect(page.get_by_text("detect: 16 done")).to_be_visible()
    shoot(page, pictures, "studio_answer")
    thumbnails.first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("frame 650")).to_be_visible()
    video = dialog.locator("video")
    expect(video).to_have_js_property("currentTime", 65, timeout=30_000)  # it jumped to the moment
    shoot(page, pictures, "studio_viewer")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_a_click_becomes_a_mask_that_is_painted(page: Page, studio: str, pictures: Path | None) -> None:
    page.goto(f"{studio}/#masks")
    page.get_by_label("Picture", exact=True).select_option(label="scene.png")
    picture = page.get_by_alt_text("picture to mask")
    expect(picture).to_have_js_property("naturalWidth", 320)
    picture.click(position={"x": 100, "y": 120})
    expect(page.get_by_role("listitem").first).to_contain_text("pixels", timeout=60_000)
    area = int(page.get_by_role("listitem").first.inner_text().split(", ")[1].removesuffix(" pixels").replace(",", ""))
    assert 0.8 < area / (80 * 80) < 1.25  # the square that was clicked
    shoot(page, pictures, "studio_masks")
    page.get_by_label("Put here instead").fill("a red circle")
    page.get_by_role("button", name="Paint it anew").click()
    expect(page.get_by_alt_text("a red circle")).to_be_visible(timeout=120_000)
    shoot(page, pictures, "studio_painted")


def test_a_frame_of_a_video_is_masked(page: Page, studio: str) -> None:
    page.goto(f"{studio}/#masks")
    page.get_by_label("Picture", exact=True).select_option(label="pedestrians.mp4")
    picture = page.get_by_alt_text("picture to mask")
    expect(picture).to_have_js_property("naturalWidth", 768, timeout=30_000)
    first = picture.get_attribute("src")
    page.get_by_label("at second").fill("65")
    page.get_by_label("at second").press("Tab")
    expect(picture).not_to_have_attribute("src", first or "", timeout=30_000)
    page.get_by_label("Word").fill("person")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("listitem").first).to_contain_text("person", timeout=60_000)


def test_a_mistake_is_told_with_the_nearest_name(page: Page, studio: str) -> None:
    page.goto(studio)
    ask(page, "SELECT detetc('x')")
    expect(page.get_by_role("alert")).to_contain_text("did you mean 'detect'")


def test_progress_and_cancel(page: Page, studio: str) -> None:
    page.goto(studio)
    ask(page, "SELECT count(*) FROM frames('pedestrians.mp4') f, classes(f.image) o")
    expect(page.get_by_role("progressbar")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert")).to_contain_text("Cancelled", timeout=30_000)
    expect(page.get_by_role("button", name="Run")).to_be_enabled()


def test_explain_shows_the_plan(page: Page, studio: str) -> None:
    page.goto(studio)
    page.get_by_label("Question in SQL").fill("SELECT embed(image) FROM frames('pedestrians.mp4', fps => 1)")
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_text("embed(image): 80 inputs")).to_be_visible(timeout=20_000)


def test_words_are_completed_by_keyboard(page: Page, studio: str) -> None:
    page.goto(studio)
    area = page.get_by_label("Question in SQL")
    page.wait_for_load_state("networkidle")
    area.fill("")
    area.press_sequentially("FROM fram")
    expect(page.get_by_role("option").first).to_contain_text("frames(")
    area.press("Tab")
    assert area.input_value() == "FROM frames("
    area.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()


def test_more_rows(page: Page, studio: str) -> None:
    page.goto(studio)
    ask(page, "SELECT range AS n FROM range(450)")
    expect(page.locator("tbody tr")).to_have_count(200)
    page.get_by_role("button", name="More rows").click()
    expect(page.locator("tbody tr")).to_have_count(400)
    page.get_by_role("button", name="More rows").click()
    expect(page.locator("tbody tr")).to_have_count(450)
    expect(page.get_by_role("button", name="More rows")).to_be_hidden()


def test_names_of_files_are_text_not_markup(page: Page, studio: str) -> None:
    page.goto(studio)
    ask(page, "SELECT '<img src=x onerror=document.title=1>' AS \"<b>name</b>\"")
    expect(page.locator("td")).to_contain_text("<img src=x")
    assert page.locator("td img").count() == 0 and page.title() != "1"


def test_a_file_is_added_and_asked(page: Page, studio: str, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("An invoice for seven chairs.")
    page.goto(f"{studio}/#media")
    page.get_by_label("Videos, pictures, documents, texts").set_input_files(note)
    expect(page.get_by_role("status").last).to_contain_text("note.txt added")
    page.get_by_role("link", name="note.txt").click()
    page.get_by_role("button", name="Run").click()
    expect(page.locator("tbody")).to_contain_text("seven chairs")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("room", ROOMS)
def test_rooms_are_accessible(page: Page, studio: str, room: str, scheme: str, pictures: Path | None) -> None:
    """No violation that axe knows: names, contrast, roles, structure."""
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(f"{studio}/#{room}")
    page.wait_for_load_state("networkidle")
    if room == "ask":
        ask(page, "SELECT 1 AS one, 'x' AS word")
        expect(page.locator("tbody tr")).to_have_count(1)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    shoot(page, pictures, f"studio_{room}_{scheme}")


@pytest.mark.parametrize("room", ROOMS)
def test_a_phone_shows_it_all(page: Page, studio: str, room: str, pictures: Path | None) -> None:
    page.set_viewport_size({"width": 375, "height": 740})
    page.goto(f"{studio}/#{room}")
    page.wait_for_load_state("networkidle")
    if room == "ask":
        ask(page, "SELECT 42 AS answer, 'a rather long piece of text that must wrap somewhere' AS word")
        expect(page.locator("tbody tr")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    shoot(page, pictures, f"studio_{room}_phone")


def test_everything_is_reached_by_keyboard(page: Page, studio: str) -> None:
    page.goto(studio)
    page.wait_for_selector(".samples button")
    reached = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("(document.activeElement.textContent || document.activeElement.ariaLabel || '').trim()")
        )
    assert {
        "Skip to content",
        "Ask",
        "Media",
        "Models",
        "Store",
        "Run",
        "Explain",
        "What could not be read?",
    } <= reached


def test_a_token_is_needed_once(browser: object, tmp_path: Path) -> None:
    from serving import serving

    with serving("--db", ":memory:", "--token", "s3cret", folder=tmp_path) as address:
        page = browser.new_page()
        page.goto(address)
        expect(page.locator("#server")).to_contain_text("a token is needed")
        page.goto(f"{address}/?token=s3cret")
        expect(page.locator("#server")).to_contain_text("admin")
        assert "s3cret" not in page.url and "s3cret" not in page.evaluate("document.cookie")
        page.close()


def test_a_timeline_shows_what_it_covers_and_how_it_would_look(page: Page, studio: str, pictures: Path | None) -> None:
    page.goto(f"{studio}/#animate")
    strip = page.get_by_label("what each prompt covers").get_by_role("listitem")
    first, second = (f"a {thing} moving right on a black background" for thing in ("red circle", "blue square"))
    expect(strip).to_have_text([first, second])
    page.get_by_label("frame of prompt 2").fill("4")
    expect(strip.nth(1)).to_have_attribute("title", "frames 4 to 15")
    page.get_by_role("button", name="Add a prompt").click()
    page.keyboard.type("a green star")  # the new line has the focus
    expect(strip.nth(2)).to_have_attribute("title", "frames 15 to 15")
    page.get_by_label("Frames", exact=True).fill("10")
    expect(strip.nth(2)).to_contain_text("after the end")
    page.get_by_label("Frames", exact=True).fill("16")
    page.get_by_role("button", name="preview of prompt 3").click()
    expect(page.get_by_alt_text("preview: a green star")).to_have_js_property("naturalWidth", 64, timeout=120_000)
    assert Axe().run(page).violations_count == 0
    shoot(page, pictures, "studio_timeline")


def test_regions_that_rest_are_shown(page: Page, studio: str, pictures: Path | None) -> None:
    page.goto(f"{studio}/#regional")
    page.get_by_role("button", name="Draw").click()
    expect(page.get_by_text("of the work of a whole run")).to_be_visible(timeout=180_000)
    shoot(page, pictures, "studio_regional")


def test_a_federated_run_shows_its_accuracy(page: Page, studio: str, pictures: Path | None) -> None:
    page.goto(f"{studio}/#federated")
    page.get_by_role("button", name="Train").click()
    expect(page.get_by_role("img", name="virtual seconds")).to_be_visible(timeout=180_000)
    expect(page.get_by_role("region", name="Rounds")).to_be_visible(timeout=180_000)
    shoot(page, pictures, "studio_federated")


def test_two_tabs_of_one_person(browser: Browser, studio: str) -> None:
    """Both ask at once, one cancels: each sees its own answer, and both see both jobs."""
    tabs = [browser.new_page(), browser.new_page()]
    for tab in tabs:
        tab.goto(studio)
    ask(tabs[0], "SELECT count(*) FROM frames('pedestrians.mp4', fps => 9) f, faces(f.image) o")
    expect(tabs[0].get_by_role("progressbar")).to_be_visible(timeout=60_000)
    ask(tabs[1], "SELECT 'second' AS tab")
    expect(tabs[1].locator("td")).to_contain_text("second", timeout=60_000)
    tabs[0].get_by_role("button", name="Cancel").click()
    expect(tabs[0].get_by_role("alert")).to_contain_text("Cancelled", timeout=60_000)
    expect(tabs[1].locator("td")).to_contain_text("second")
    for tab in tabs:
        tab.goto(f"{studio}/#store")
        expect(tab.get_by_text("faces(f.image)").first).to_be_visible(timeout=30_000)
        expect(tab.get_by_text("'second' AS tab").first).to_be_visible()
        tab.close()
