"""`moodstem try` as somebody sees it: a real process, Debian's Chromium, clicks, an upload, screenshots."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from core.library.samples import manifest
from tests.conftest import ROOT
from tests.machine import CHROMIUM, needs_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page

ARTIFACTS = Path(os.environ.get("MOODSTEM_TEST_ARTIFACTS", ROOT / "artifacts"))
PATIENCE_MS = 60_000  # a bound for busy machines, not a measurement

pytestmark = [
    pytest.mark.slow,
    needs_chromium,
    pytest.mark.timeout(400),
]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """`moodstem try` in a process of its own; it ends as Ctrl+C ends it, and must end cleanly."""
    command = [str(Path(sys.executable).with_name("moodstem")), "--data", str(tmp_path / "data"), "try"]
    with (tmp_path / "errors.txt").open("w+") as errors:
        process = subprocess.Popen(
            [*command, "--no-browser"], stdout=subprocess.PIPE, stderr=errors, text=True, cwd=tmp_path
        )
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found, (tmp_path / "errors.txt").read_text()
            yield found[0]
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)
        said = (tmp_path / "errors.txt").read_text()
    assert process.returncode == 0 and "Traceback" not in said, said


@pytest.fixture
def page(address: str) -> Iterator[Page]:
    from playwright.sync_api import expect, sync_playwright

    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
            ],
        )
        page = browser.new_page(viewport={"width": 1300, "height": 1400})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(address)
        yield page
        browser.close()


def choose_command(page: Page, name: str) -> None:
    """Type a slash command as on Discord and take it from the list."""
    composer = page.locator("#channel-composer-input")
    composer.click()
    composer.press_sequentially(f"/{name}")
    page.locator("[role=option]", has_text=f"/{name}").first.click()


def send(page: Page) -> None:
    page.locator("button.send-message:visible:not([disabled])").first.click()


def button(page: Page, label: str | re.Pattern[str]) -> None:
    """Press the newest button with this label."""
    page.locator("button.component-button", has_text=label).last.click()


def shows(page: Page, text: str | re.Pattern[str], timeout: float = PATIENCE_MS) -> None:
    """Wait until the newest place with this text can be seen (a message stands in the side bar as well)."""
    from playwright.sync_api import expect

    expect(page.get_by_text(text).last).to_be_visible(timeout=timeout)


def test_mood_recommend_and_upload(page: Page) -> None:
    from playwright.sync_api import expect

    choose_command(page, "mood")
    send(page)
    shows(page, "Before we begin")
    page.screenshot(path=ARTIFACTS / "0-consent.png")
    button(page, "Agree and go on")
    shows(page, "Question 1 of")
    page.screenshot(path=ARTIFACTS / "1-question.png")
    for place in range(2, 9):
        button(page, re.compile("^(Often|Very much)$"))
        shows(page, re.compile(rf"Question {place} of|Your mood right now"))
        if page.get_by_text("Your mood right now").count():
            break
    shows(page, "Your mood right now")
    page.screenshot(path=ARTIFACTS / "2-profile.png")

    button(page, "Relax")
    shows(page, "For you, now")
    page.screenshot(path=ARTIFACTS / "3-picks.png")
    button(page, "Calmer")
    shows(page, "steered: calmer")
    page.screenshot(path=ARTIFACTS / "3-steered.png")
    button(page, "Why 1?")
    shows(page, "What speaks for it")
    page.screenshot(path=ARTIFACTS / "4-why.png")
    button(page, re.compile("Play$"))
    expect(page.locator("audio").last).to_be_attached()
    page.screenshot(path=ARTIFACTS / "5-play.png")

    choose_command(page, "upload")
    page.locator("input[type=file]").last.set_input_files(manifest()[2].path)
    send(page)
    shows(page, "Goes well with", timeout=180_000)
    expect(page.locator("img[alt*=Spectrogram]").last).to_be_visible()
    page.screenshot(path=ARTIFACTS / "6-upload.png")
    button(page, "Stems")
    shows(page, "Tap one to hear it", timeout=180_000)
    page.screenshot(path=ARTIFACTS / "7-stems.png")
    players = page.locator("audio").count()
    button(page, re.compile("(Drums|Bass|Guitar|Piano|The rest)$"))
    expect(page.locator("audio")).to_have_count(players + 1)
    page.screenshot(path=ARTIFACTS / "8-stem.png")


def test_mood_on_one_form(page: Page) -> None:
    choose_command(page, "mood")
    send(page)
    button(page, "Agree and go on")
    button(page, "Five at once")
    shows(page, "5 of 5")
    for _ in range(5):
        page.locator("[role=dialog] button", has_text="Tap to answer").first.click()
        page.locator("[role=option]:visible", has_text="Very much").first.click()
    page.screenshot(path=ARTIFACTS / "9-form.png")
    page.locator("[role=dialog] button", has_text="Submit").click()
    shows(page, "Your mood right now")
