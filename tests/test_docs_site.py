"""The site of docs/ builds without a warning, has a page for all there is, and loads nothing from elsewhere."""

import os
import re
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import typer.main
from waiting import GUARD

import rerankllm
from rerankllm.cli.app import app
from rerankllm.elicitation.templates import names
from rerankllm.registry import AGGREGATIONS, BACKENDS, ELICITATIONS, STRATEGIES

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
LOADED = re.compile(r"""<(?:script|img|link|iframe)\b[^>]*?\b(?:src|href)=["']?(\S+?)["'\s>]""")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    for module in ("mkdocs", "material", "mkdocstrings_handlers.python"):
        pytest.importorskip(module, reason="needs the extra `docs`")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", ".mkdocs.yml", "-d", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr
    return folder


def ours(registry):
    """The names in it that are not of tests or of `eval/`, which register what only they need."""
    return {name for name in registry if registry[name].__module__.startswith("rerankllm.")}


def page(site, address):
    return (site / f"{address}.html").read_text(encoding="utf-8")


def test_every_guide_result_and_notebook_is_a_page(site):
    files = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").glob("*.md")}
    files |= {path.relative_to(ROOT) for folder in ("eval", "notebooks") for path in (ROOT / folder).glob("*/*.md")}
    files |= {path.relative_to(ROOT) for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert len(files) > 20
    for file in files:
        assert (site / file).with_suffix(".html").is_file(), file
    assert not list(site.rglob("*.py"))


def test_what_the_code_has_is_there(site):
    for name in ours(STRATEGIES):
        shown = page(site, f"strategies/{name}")
        assert "What it takes" in shown
        assert f">{name}</a>" in page(site, "strategies/index")
    for registry, address in (
        (ELICITATIONS, "elicitations"),
        (AGGREGATIONS, "aggregations"),
        (ours(BACKENDS), "models"),
        ({name.replace("/", "") for name in names()}, "prompts"),
    ):
        headings = set(re.findall(r'<h2 id="([^"]+)"', page(site, f"reference/{address}")))
        assert set(registry) == headings
    objects = set(re.findall(r'id="rerankllm\.([^".]+)"', page(site, "reference/python")))
    assert set(rerankllm.__all__) == objects


def test_every_command_has_a_page_with_its_options(site):
    for name, command in typer.main.get_command(app).commands.items():
        shown = page(site, f"commands/{name}")
        for parameter in command.params:
            if parameter.param_type_name == "option" and not getattr(parameter, "hidden", False):
                assert f"<code>{parameter.opts[0]}" in shown, (name, parameter.opts)


def test_costs_and_results_are_the_ones_of_the_code(site):
    prp = re.sub(r"<[^>]+>", "", page(site, "strategies/prp"))
    assert re.search(r"prp\(sort=allpair\)\s+9,900\s+1\s+19,800", prp)
    sliding = re.sub(r"<[^>]+>", "", page(site, "strategies/sliding"))
    assert re.search(r"sliding\(window=20, stride=10\)\s+180\s+9\s+0\.846\s+0\.721\s+0\.664", sliding)


def test_choosing_shows_the_table_and_the_plot_of_the_readme(site):
    choosing = page(site, "choosing")
    assert "what you can spend a query" in choosing
    assert 'src="eval/frontier/results/strategies.png"' in choosing
    assert (site / "eval/frontier/results/strategies.png").is_file()


def test_nothing_is_loaded_from_elsewhere(site):
    for path in site.rglob("*.html"):
        for target in LOADED.findall(path.read_text(encoding="utf-8")):
            assert not re.match(r"(?:https?:)?//", target), (path.name, target)
    for path in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(?:https?:)?//", path.read_text(encoding="utf-8")), path.name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_from_a_folder_in_light_and_dark_and_on_a_telephone(site, browser, scheme):
    context = browser.new_context(color_scheme=scheme, viewport={"width": 390, "height": 800})
    context.set_default_timeout(1000 * GUARD)
    tab = context.new_page()
    wrong = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("request", lambda request: request.url.startswith(("http:", "https:")) and wrong.append(request.url))
    for address in ("index", "strategies/prp", "commands/rerank", "reference/python", "faq", "support"):
        tab.goto((site / f"{address}.html").as_uri())
        assert tab.locator("h1").first.is_visible()
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390, address
    background = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background)[:3])) < 384) == (scheme == "dark")
    assert not wrong
    context.close()


def test_every_strategy_has_a_drawing_of_what_it_asks(site):
    for name in ours(STRATEGIES):
        (drawing,) = re.findall(r'<svg class="asks".*?</svg>', page(site, f"strategies/{name}"), re.DOTALL)
        assert drawing.count("<circle") >= 10, name
    sliding = page(site, "strategies/sliding")
    assert "on ten documents, all answers right: 4 calls in 4 rounds" in sliding
    drawing = re.findall(r'<svg class="asks".*?</svg>', sliding, re.DOTALL)[0]
    assert drawing.count("<circle") == 4 * 4  # four windows of four


def test_pages_lead_to_the_next_and_the_previous_one(site):
    shown = page(site, "choosing")
    assert re.search(r'href="input\.html" class="md-footer__link md-footer__link--prev"', shown)
    assert re.search(r'href="backends\.html" class="md-footer__link md-footer__link--next"', shown)


@pytest.fixture(scope="module")
def served(site):
    handler = partial(QuietHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.mark.parametrize(
    ("words", "found"), [("docker", "serving.html"), ("which strategy", "choosing.html"), ("CSV", "input.html")]
)
def test_search_finds(served, browser, words, found):
    tab = browser.new_page()
    tab.set_default_timeout(1000 * GUARD)
    tab.goto(f"{served}/index.html")
    tab.locator(".md-search__input").press_sequentially(words)  # the page listens for keys, which fill() does not press
    tab.wait_for_selector(".md-search-result__link")
    links = tab.eval_on_selector_all(".md-search-result__item > a", "all => all.map(each => each.href)")
    assert found in links[0] or any(found in link for link in links[:3]), links
    tab.close()


def test_the_start_page_has_pictures(site):
    for name in ("page", "report"):
        assert f'src="pictures/{name}.png"' in page(site, "index")
        assert (site / "pictures" / f"{name}.png").stat().st_size < 200_000
