"""`moodstem try` as somebody sees it: a real process, Debian's Chromium, clicks, an upload, screenshots."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.library.samples import manifest
from tests.conftest import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARTIFACTS = Path(os.environ.get("MOODSTEM_ARTIFACTS", ROOT / "artifacts"))

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no browser: install Debian's package chromium"),
    pytest.mark.timeout(300),
]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """`moodstem try` in a process of its own; ends as Ctrl+C ends it, and must end cleanly."""
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("moodstem")), "--data", str(tmp_path / "data"), "try", "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found, process.stderr.read() if process.stderr else ""
        yield found[0]
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in errors, errors


def test_mood_recommend_and_upload(address: str) -> None:
    from playwright.sync_api import expect, sync_playwright

    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
        page = browser.new_page(viewport={"width": 1000, "height": 1100})
        page.set_default_timeout(30_000)
        page.goto(address)
        command(page, "mood")
        expect(page.get_by_text("Question 1 of")).to_be_visible()
        page.screenshot(path=ARTIFACTS / "1-question.png")
