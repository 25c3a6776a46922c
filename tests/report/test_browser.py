"""The page in a real browser: nothing leaves it, all is reachable, both languages, axe is content."""

from __future__ import annotations

import re
import shutil
from importlib import resources
from pathlib import Path

import pytest

import parity
from parity.config.config import Config
from parity.report.run import Keep, run
from tests.nightly import first_of, in_turn
from tests.report.test_graph_page import trained
from tests.watch.helpers import net, planted, train, twice

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed (pip install backprop-parity[page])"
)
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine (apt-get install chromium)"
)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
REPORTS = Path(__file__).parents[2] / "reports"
MATCH, MISMATCH = (
    REPORTS / "lesson" / "index.html",
    REPORTS / "gallery" / "no_slope_below" / "index.html",
)


DIGITS, SUBJECT = REPORTS / "digits" / "index.html", REPORTS / "check" / "index.html"


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser):
    contexts = []

    def visit(path, width=1600, scheme="light", script=True, address=""):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script
        )
        contexts.append(context)
        page = context.new_page()
        page.trouble = []
        page.on("console", lambda message: page.trouble.append(message.text))
        page.on("pageerror", lambda error: page.trouble.append(str(error)))
        page.on(
            "request", lambda request: request.url.startswith("file:") or page.trouble.append(request.url)
        )
        page.goto(path.as_uri() + address)
        return page

    yield visit
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """The pages of two watched trainings: one with everything that can be told, and one that is whole."""
    folder = tmp_path_factory.mktemp("watched")
    with parity.watch() as watching:
        train(net(), 2)
    watching.result.report(folder / "match")
    with planted("relu", lambda x: 1.01 * x.clamp(min=0)), parity.watch() as watching:
        train(net(), 1, lossy=lambda found, y: (twice(found) * found - y).square().mean())
    assert watching.result.wrong
    assert watching.result.coverage.not_certified
    watching.result.report(folder / "told")
    return folder


@pytest.mark.parametrize(
    ("page", "width", "scheme"), in_turn(["match", "told"], [360, 1600], ["dark", "light"])
)
def test_the_page_of_a_watched_training_is_whole_and_axe_finds_no_violation(
    visit, watched, page, width, scheme
):
    shown = visit(watched / page / "index.html", width, scheme)
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    for details in shown.locator("details").all()[:12]:
        details.evaluate("element => element.open = true")
    assert violations(shown) == []
    for language, hidden in (("es", "en"), ("en", "es")):
        shown.check(f"#lang-{language}")
        assert shown.locator(f'[lang="{hidden}"]:not(html):not(.always):visible').count() == 0
    assert shown.trouble == []


def violations(page):
    """What axe finds."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed")
    assert axe
    source = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    page.evaluate(source)
    return page.evaluate("axe.run().then(found => found.violations.map(v => [v.id, v.nodes[0].html]))")


PAGES = {
    "match": (MATCH, ""),
    "mismatch": (MISMATCH, ""),
    "subject": (SUBJECT, ""),
    "brief step": (DIGITS, "#step=350"),
    "convolutions": (REPORTS / "cnn" / "index.html", ""),
    "attention": (REPORTS / "attention" / "index.html", "#card-a16"),
    "site": (REPORTS / "index.html", ""),
}


@pytest.mark.parametrize(("name", "width", "scheme"), in_turn(PAGES, [360, 1600], ["light", "dark"]))
def test_nothing_leaves_nothing_breaks_and_axe_finds_no_violation(visit, name, width, scheme):
    path, address = PAGES[name]
    holds(visit(path, width, scheme, address=address), width)


@pytest.mark.parametrize(("width", "scheme"), first_of([(390, "dark"), (1280, "light")]))
def test_the_page_of_a_graph_is_as_good(visit, tmp_path, width, scheme):
    trained(tmp_path, steps=1)
    holds(visit(tmp_path / "index.html", width, scheme), width)


def holds(page, width):
    """Nothing is wider than the page, or a tower; nothing is asked for; axe finds nothing."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # A word broken letter by letter makes a cell a tower: no row of a table is higher than a few lines.
    heights = "all => all.map(row => row.getBoundingClientRect().height)"
    assert max(page.eval_on_selector_all("table:not(.strips) tr", heights), default=0) < 120
    for details in page.locator(".step.current details, main > section > details").all()[:12]:
        details.evaluate("element => element.open = true")
    if page.locator("[data-flow=on]").count():
        page.click("[data-flow=on]")
    # Axe looks at what is on view; the other steps have the same markup, and would cost it a minute.
    page.evaluate("document.querySelectorAll('.step:not(.current)').forEach(step => step.remove())")
    assert violations(page) == []
    assert page.trouble == []


def test_every_step_is_reached_by_keyboard_and_has_an_address(visit):
    page = visit(MATCH)
    steps = [
        int(step) for step in page.eval_on_selector_all(".step", "all => all.map(s => s.dataset.step)")
    ]
    assert len(steps) > 4
    shown = (
        "[...document.querySelectorAll('.step')].filter(s => s.checkVisibility())"
        ".map(s => Number(s.dataset.step))"
    )
    for step in steps[1:]:
        page.keyboard.press("ArrowRight")
        assert page.evaluate(shown) == [step]
        assert page.url.endswith(f"#step={step}")
    page.focus("#slider")
    page.keyboard.press("Home")
    assert page.evaluate(shown) == [steps[0]]
    assert visit(MATCH, address=f"#step={steps[2]}").evaluate(shown) == [steps[2]]


def test_each_of_a_hundred_steps_is_there_with_every_tensor(visit, tmp_path):
    config = Config.model_validate({"data": {"name": "xor"}, "training": {"steps": 100}})
    run(config, Keep()).report(tmp_path, "en")
    path = tmp_path / "index.html"
    page = visit(path)
    shown = "[...document.querySelectorAll('.step')].filter(s => s.checkVisibility())"
    for step in range(1, 100):
        page.keyboard.press("ArrowRight")
        assert page.evaluate(f"{shown}.map(s => s.dataset.step)") == [str(step)]
    page = visit(path, address="#step=57")
    assert page.url.endswith("#step=57")
    tensors = page.evaluate(f"{shown}[0].querySelectorAll('[data-tensor]').length")
    assert tensors == visit(path).evaluate(f"{shown}[0].querySelectorAll('[data-tensor]').length") > 10
    page.locator(".row summary").first.click()
    assert page.locator(".row[open] .none:visible a[href='#step=0']").count() == 1


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_the_switch_changes_every_text_and_works_without_script(visit, script):
    page = visit(MISMATCH, script=script)
    for shown, hidden in (("en", "es"), ("es", "en")):
        page.check(f"#lang-{shown}")
        assert page.locator(f'[lang="{hidden}"]:not(html):not(.always):visible').count() == 0
        assert page.locator(f'[lang="{shown}"]:not(html):visible').count() > 50
        if script:
            assert page.evaluate("document.documentElement.lang") == shown


@pytest.mark.parametrize(
    ("locale", "address", "spoken"),
    [("es-AR", "", "es"), ("en-GB", "", "en"), ("fr-FR", "", "en"), ("en-US", "?lang=es", "es")],
)
def test_the_browser_chooses_the_language_and_the_address_may(browser, locale, address, spoken):
    context = browser.new_context(locale=locale)
    page = context.new_page()
    page.goto(MATCH.as_uri() + address)
    assert page.evaluate("document.documentElement.lang") == spoken
    hidden = {"en": "es", "es": "en"}[spoken]
    assert page.locator(f'[lang="{hidden}"]:not(html):not(.always):visible').count() == 0
    context.close()


def test_what_matches_is_folded_and_what_fails_is_open(visit):
    assert visit(MATCH).locator(".row[open]").count() == 0
    page = visit(MISMATCH)
    open_ones = page.eval_on_selector_all(".row[open]", "all => all.map(row => row.dataset.tensor)")
    marked = page.eval_on_selector_all(
        ".step.current tr.born, .step.current tr.inherited", "all => all.map(row => row.dataset.tensor)"
    )
    assert sorted(open_ones) == sorted(marked) != []
    page.click(".step.current [href='#card-z1']")
    assert page.locator("#card-z1[open]").count() == 1
    page.click("[data-open=true]")
    assert page.locator(".row:not([open])").count() == 0


def test_a_sample_goes_forward_and_its_error_back_through_the_graph(visit):
    page = visit(MATCH)
    tensors = page.eval_on_selector_all(".flowing.now li", "all => all.map(one => one.dataset.tensor)")
    assert tensors == ["x", "z1", "a1", "z2", "a2", "y", "loss", "s2", "delta2", "s1", "delta1"]
    lit = "[...new Set([...document.querySelectorAll('svg.graph .lit')].map(s => s.dataset.tensor))]"
    for tensor in tensors:
        page.click("[data-flow=on]")
        assert tensor in page.evaluate(lit)
        assert page.locator(".flow .here:visible").get_attribute("data-tensor") == tensor
    page.focus("[data-flow=back]")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(lit) == ["s1"]
    assert page.locator(".step.current").get_attribute("data-step") == "0"
    page.click("[data-flow=first]")
    assert page.evaluate(lit) == ["x"]


def test_without_script_all_steps_are_there(visit):
    page = visit(MATCH, script=False)
    assert page.locator(".step:visible").count() == page.locator(".step").count() > 1
    assert page.locator(".stepper:visible").count() == 0


def test_one_part_alone(visit):
    page = visit(MATCH)
    page.click("button[data-stage=hidden_delta]")
    assert set(
        page.eval_on_selector_all(
            ".stage", "all => all.filter(s => s.checkVisibility()).map(s => s.dataset.stage)"
        )
    ) == {"hidden_delta"}
    assert page.locator("svg.graph .dim").count() > 0


def test_a_prediction_is_judged_by_the_digits_typed(visit):
    page = visit(MATCH)
    question = page.locator(".question").first
    answer = float(re.search(r'"answer": ([^,]+),', question.get_attribute("data-question")).group(1))
    told = "all => all.filter(line => !line.hidden).map(line => line.dataset.answer)"
    for typed, expected in (
        (f"{answer:.3f}", "right"),
        (f"{answer:.6f}".replace(".", ","), "right"),
        ("77", "wrong"),
        ("x", "nan"),
    ):
        question.locator(".guess").fill(typed)
        question.locator(".check").click()
        assert question.locator("[data-answer]").evaluate_all(told) == [expected]
    slips = question.evaluate("element => JSON.parse(element.dataset.question).slips")
    question.locator(".guess").fill(f"{slips[0]:.6f}")
    question.locator(".guess").press("Enter")
    assert question.locator("[data-answer]").evaluate_all(told) == ["slip-0"]
