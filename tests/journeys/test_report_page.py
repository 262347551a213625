"""The report in a browser: the slider moves pictures and words, nothing is fetched, nothing complains."""

import shutil

import pytest
import torch

from kanop.evaluation import evaluate, write_report
from kanop.solvers import FieldSpec, Grid

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine (looked for chromium, google-chrome)"
)


class Waves:
    """sin 2π(x + a) and cos 4π(x + a), standing still, in one or two dimensions, in memory."""

    def __init__(self, shape, times):
        self.grid, self.times = Grid(shape), torch.tensor(times)
        self.fields, self.constants, self.n_samples, self.name = ("u", "v"), (), 4, "waves"

    def frames(self, i, start=0, stop=None):
        phase = 2 * torch.pi * (sum(self.grid.mesh()) + 0.2 * i)
        frame = torch.stack([torch.sin(phase), torch.cos(2 * phase)])
        return torch.stack([frame] * len(self.times[start:stop]))


class Damped(torch.nn.Module):
    """û = 0.97 u: wrong by a known share, and by more at each step."""

    def __init__(self, spec):
        super().__init__()
        self.spec, self.weight = spec, torch.nn.Parameter(torch.zeros(1))

    def forward(self, u):
        return 0.97 * u


CASES = {
    "1d-rollout": ((32,), [0.0, 0.5, 1.0, 1.5, 2.0]),
    "1d-map": ((32,), [0.0, 1.0]),
    "2d-rollout": ((24, 16), [0.0, 0.5, 1.0, 1.5, 2.0]),
    "2d-map": ((24, 16), [0.0, 1.0]),
}


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=CASES)
def report(request, tmp_path_factory):
    """(case, path of its report)."""
    shape, times = CASES[request.param]
    source = Waves(shape, times)
    evaluation = evaluate(Damped(FieldSpec(source.grid, source.fields, dt=times[1])), source, factors=(1,))
    return request.param, write_report(evaluation, tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture
def page(report, browser):
    case, path = report
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.case, page.asked, page.complaints = case, [], []
    page.on("request", lambda r: page.asked.append(r.url))
    page.on("console", lambda m: page.complaints.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: page.complaints.append(str(e)))
    page.goto(path.as_uri())
    yield page
    page.close()


def pixels(page):
    """All of the player's pictures as one string."""
    return page.evaluate("[...document.querySelectorAll('canvas[data-plot]')].map((c) => c.toDataURL()).join()")


def move(page, place):
    page.locator("#player-slider").evaluate(
        "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', { bubbles: true })); }", place
    )


def test_the_slider_moves_pictures_and_words(page):
    label = page.locator("#player-label")
    first = (move(page, 1), label.inner_text(), pixels(page))
    second = (move(page, 2), label.inner_text(), pixels(page))
    assert first[1] != second[1]
    assert first[2] != second[2]
    if page.case.endswith("rollout"):
        # û after n steps is 0.97ⁿ u, which the label gives as a relative error.
        assert "t = 0.5" in first[1]
        assert "error 3 %" in first[1]
        assert "error 5.91 %" in second[1]
    else:
        assert "of the samples are better" in first[1]
    assert page.locator("figure.player canvas").first.is_visible()


def test_arrow_keys_play_and_choices_work(page):
    slider = page.locator("#player-slider")
    move(page, 0)
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert slider.input_value() == "1"
    before = pixels(page)
    page.locator("#player-field").select_option("1")
    assert pixels(page) != before
    page.locator("#player-play").click()
    page.wait_for_function("document.getElementById('player-slider').value !== '1'", timeout=5000)
    page.locator("#player-play").click()
    assert "play" in page.locator("#player-play").inner_text()


def test_nothing_is_fetched_and_nothing_complains(page):
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 420, "height": 800})
    page.wait_for_timeout(100)
    assert page.asked == [page.url]
    assert page.complaints == []
    # Nothing sticks out of a narrow window.
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
