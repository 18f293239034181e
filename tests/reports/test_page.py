"""The page in a browser: it opens from a file, says what it should, and nothing in a text can get out of it."""

import csv
import itertools
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from report_pages import read_page
from waiting import GUARD

import rerankllm
from rerankllm.evaluation.comparison import Estimate
from rerankllm.evaluation.measures import trec_order
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.trec import read_qrels, read_run
from rerankllm.reports import frame
from rerankllm.reports.calls import read_calls
from rerankllm.reports.content import content
from rerankllm.reports.from_runs import ComparisonOptions, Inputs, from_runs
from rerankllm.reports.packing import as_data
from rerankllm.reports.page import page as html
from rerankllm.reports.subject import Extent, OrderPair, Robust
from rerankllm.runs.job import Job, perform
from rerankllm.runs.progress import ProgressBar
from rerankllm.runs.source import read_source
from rerankllm.runs.systems import FIRST, Given
from rerankllm.sample import path as sample
from rerankllm.web.files import read

pytestmark = pytest.mark.slow

TOKEN = re.compile(r"--([a-z-]+): (#[0-9a-f]{6})")
HOSTILE = {
    "tag": "</script><script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\"> & <!--",
    "rtl": "\u202etxet sdrawkcab\u202c שלום עולם, ending in English",
    "long": "words " * 17_000,
    "nul": "before\u0000after \u2028 line \u2029 paragraph {{ 7*7 }}",
    "<img/src=x/onerror=alert(1)>": "an id with a tag",
}


def rank(output, strategy, model, depth=100, *, run, queries, corpus):
    """Writes a run with its journal."""
    source = read_source(
        sample=False, run=run, queries=queries, corpus=corpus, requests=None, qrels=None, skip_missing=False
    )
    with rerankllm.Reranker(strategy, model, depth=depth, journal=f"{output}.journal") as reranker:
        perform(reranker, Job(source, output=output, depth=depth), ProgressBar(quiet=True))


MEASURES = ["nDCG@10", "RR(rel=2)@10"]
TEXTS = {"queries": sample("queries.tsv"), "corpus": sample("corpus.jsonl")}
JUDGES = (
    ("lists", "sliding(window=8, stride=4)", "world=mild&malformed=0.3", 20),
    ("pairs", "prp(sort=heap)", "world=harsh", 5),
    ("full0", "full", "world=harsh&seed=0", 20),
    ("full1", "full", "world=harsh&seed=1", 20),
)


def compared(folder):
    """The runs there, for `compare` and for `report`."""
    return {
        "lists": folder / "lists.txt",
        "pairs": folder / "pairs.txt",
        "seeds": [folder / "full0.txt", folder / "full1.txt"],
    }


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A page on three judges of the sample, one with two seeds, with their calls."""
    folder = tmp_path_factory.mktemp("report")
    for name, strategy, world, depth in JUDGES:
        model = f"simulated:{sample('qrels.txt')}?{world}"
        rank(folder / f"{name}.txt", strategy, model, depth, run=sample("run.txt"), **TEXTS)
    rerankllm.report(
        compared(folder), qrels=sample("qrels.txt"), first_stage=sample("run.txt"), query_texts=TEXTS["queries"],
        corpus=TEXTS["corpus"], measures=MEASURES, output=folder / "report.html",
    )  # fmt: skip
    return folder / "report.html"


class Opened:
    """A page, with all that it asked for and complained of."""

    def __init__(self, browser, path, **settings):
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
        self.context.set_default_timeout(1000 * GUARD)
        self.page = self.context.new_page()
        self.requests, self.complaints = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("#browser .query-head, #browser > div > p")

    def choose(self, name, value):
        """Chooses in the browser of queries, and waits until it is drawn anew."""
        self.page.evaluate("document.querySelector('#browser div.controls').id = 'old'")
        self.page.locator(f"#browser select[data-name={name}]").select_option(value)
        self.page.locator("#old").wait_for(state="detached")

    def widest(self):
        return self.page.evaluate("document.documentElement.scrollWidth")


@pytest.fixture
def opened(browser):
    pages = []

    def open_page(path, **settings):
        pages.append(Opened(browser, path, **settings))
        return pages[-1]

    yield open_page
    for each in pages:
        each.context.close()


def test_it_opens_from_a_file_and_asks_for_nothing_else(opened, report):
    found = opened(report)
    found.page.locator("#calls tbody button").first.click()
    assert found.requests == [report.as_uri()]
    assert found.complaints == []
    assert found.page.locator(".lead").first.text_content().startswith("lists ranks best: nDCG@10 0.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 700, 390, 320])
def test_nothing_is_wider_than_the_page(opened, report, scheme, width):
    found = opened(report, viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce")
    page = found.page
    for details in page.locator("main details > summary").all():
        details.click()
    page.locator(".after .doc").nth(1).click()
    page.locator("#calls tbody button").first.click()
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    assert found.widest() == width
    outside = page.evaluate(
        """() => [...document.querySelectorAll("main *")]
           .filter((e) => !e.closest(".scroll") && !e.closest("select"))
           .filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
           .map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert outside == []
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(253, 253, 252)"
    assert dark == (scheme == "dark")


@pytest.mark.parametrize("width", [320, 1280])
def test_labels_and_heads_do_not_cover_one_another(opened, report, tmp_path, width):
    names = {
        f"sliding(window={i}, stride=10, passes=3) / labels @ openai:gpt-{i}": report.parent / "lists.txt"
        for i in range(12)
    }
    rerankllm.report(names, qrels=sample("qrels.txt"), first_stage=sample("run.txt"), output=tmp_path / "many.html")
    page = opened(tmp_path / "many.html", viewport={"width": width, "height": 900}).page
    boxes = page.evaluate(
        """() => [...document.querySelectorAll("#pairs .matrix thead th")].map((e) => {
               const range = document.createRange();
               range.selectNodeContents(e);
               const box = range.getBoundingClientRect();
               return [box.left, box.right];
           })"""
    )
    assert len(boxes) == 14
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(boxes))
    assert page.locator("#cost .key li").count() == 13
    assert page.locator("#cost svg text.name").first.text_content() in "abcdefghijklm"
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_theme_can_be_turned(opened, report):
    page = opened(report, color_scheme="light").page
    colours = []
    for _ in range(3):
        page.locator("#tools button").click()
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert page.locator("#tools button").text_content() == "Theme: auto"
    assert colours[0] == colours[2] != colours[1]


def test_by_keyboard_alone_a_query_and_a_call_open(opened, report):
    page = opened(report, reduced_motion="reduce").page

    def walk(wanted, key="Tab", most=200):
        for _ in range(most):
            page.keyboard.press(key)
            if page.evaluate("(wanted) => document.activeElement.matches(wanted)", wanted):
                return
        pytest.fail(f"{key} never comes to {wanted}")

    walk("a.skip")
    walk("#summary button.sort")
    page.keyboard.press("Enter")
    assert page.locator("#summary th[aria-sort]").first.get_attribute("aria-sort") == "ascending"
    walk("#cost g[tabindex]")
    assert "nDCG@10" in page.locator("#cost svg").first.get_attribute("aria-label")
    walk("g.bar")
    page.keyboard.press("ArrowRight")
    name = page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.keyboard.press("Enter")
    page.locator("#browser .query-head h3:focus").wait_for()
    assert name.startswith(page.locator("#browser h3").first.text_content())
    walk(".doc")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    assert page.locator(".passage .body").count() == 1
    walk("#calls tbody button")
    page.keyboard.press("Enter")
    assert page.locator("pre.prompt").is_visible()
    page.keyboard.press("Enter")
    assert page.locator("pre.prompt").count() == 0


def test_every_query_of_every_system_opens(opened, report):
    found = opened(report)
    page = found.page
    data = json.loads(page.locator("#data").text_content())
    for entrant in data["parts"][0]["entrants"]:
        found.choose("after", entrant["name"])
        for i, query in enumerate(data["parts"][0]["queries"]):
            found.choose("place", str(i))
            assert page.locator("#browser h3").first.text_content() == query["text"]
            assert page.locator(".after .doc").count() == 20
            least, most = {"first stage": (0, 0), "lists": (4, 4), "pairs": (8, 30), "seeds": (1, 1)}[entrant["name"]]
            assert least <= page.locator("#calls tbody tr").count() <= most
    assert found.complaints == []


def test_sides_and_calls_are_those_of_the_files(opened, report):
    found = opened(report)
    found.choose("after", "lists")
    found.choose("place", "2")
    page = found.page
    query_id = "q3"
    for side, path in (("before", sample("run.txt")), ("after", report.parent / "lists.txt")):
        wanted = trec_order(read_run(path)[query_id])
        page.locator(f".{side} .doc").nth(4).click()
        assert page.locator(f".{side} .passage bdi").text_content() == wanted[4]
    calls = read_calls(report.parent / "lists.txt.journal")[query_id]
    page.locator("#calls tbody button").first.click()
    assert page.locator("pre.prompt").text_content() == calls[0].prompt
    statuses = page.locator("#calls .status").all_text_contents()
    assert statuses == [call.status for call in calls]


def test_a_comparison_reads_as_a_sentence(opened, report):
    found = opened(report)
    found.choose("after", "pairs")
    found.choose("place", "0")
    compared = [
        call for call in read_calls(report.parent / "pairs.txt.journal")["q1"] if call.answer not in {None, 0.5}
    ]
    first, second = compared[0].docs
    p = compared[0].answer
    winner, loser = (first, second) if p > 0.5 else (second, first)
    said = found.page.locator("#calls tbody td").all_text_contents()
    assert f"{winner} over {loser}, p = {max(p, 1 - p):.3f}" in said


def test_no_folder_of_this_machine_is_told(report):
    text = report.read_text(encoding="utf-8")
    text += json.dumps(read_page(text))
    assert "simulated:qrels.txt?world=harsh" in text
    assert str(sample("qrels.txt").parent) not in text
    assert str(report.parent) not in text


def test_the_numbers_are_those_of_compare(opened, report):
    folder = report.parent
    shown = rerankllm.compare(
        compared(folder), sample("qrels.txt"), first_stage=sample("run.txt"), measures=MEASURES
    ).to_dict()
    page = opened(report).page
    data = json.loads(page.locator("#data").text_content())
    assert data["parts"][0]["document"] == shown
    wanted = {system["name"]: f"{system['means']['nDCG@10']['mean']:.4f}" for system in shown["systems"]}
    rows = {row.locator("th").text_content().removesuffix(" 2 runs"): row.locator("td.mean").text_content()
            for row in page.locator("#summary .scroll").first.locator("tbody tr").all()}  # fmt: skip
    assert rows == wanted
    for name, by_measure in data["parts"][0]["values"].items():
        mean = next(s for s in shown["systems"] if s["name"] == name)["means"]["nDCG@10"]["mean"]
        assert sum(by_measure["nDCG@10"]) / 8 == pytest.approx(mean, abs=1e-6)


def test_measures_and_seeds_can_be_chosen(opened, report):
    found = opened(report)
    found.page.locator("#tools select").select_option("RR(rel=2)@10")
    assert found.page.locator("#summary thead .n").first.text_content() == "RR(rel=2)@10"
    found.choose("after", "seeds")
    found.choose("afterRun", "1")
    assert found.complaints == []


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    ids = list(HOSTILE)
    (folder / "queries.tsv").write_text("q1\t<b>bold</b></script> \u202equery\n", encoding="utf-8")
    (folder / "corpus.jsonl").write_text("".join(json.dumps({"_id": i, "text": t}) + "\n" for i, t in HOSTILE.items()))
    (folder / "qrels.txt").write_text("".join(f"q1 0 {doc_id} {n % 3}\n" for n, doc_id in enumerate(ids)))
    (folder / "run.txt").write_text("".join(f"q1 Q0 {doc_id} {n} {9 - n} x\n" for n, doc_id in enumerate(ids)))
    texts = {"queries": folder / "queries.tsv", "corpus": folder / "corpus.jsonl"}
    rank(folder / "out.txt", "full", f"oracle:{folder}/qrels.txt", run=folder / "run.txt", **texts)
    rerankllm.report(
        {"<i>'\"x</i>": folder / "out.txt"}, qrels=folder / "qrels.txt", first_stage=folder / "run.txt",
        query_texts=texts["queries"], corpus=texts["corpus"], title="</title><script>1",
        output=folder / "report.html",
    )  # fmt: skip
    return folder / "report.html"


def find(page, text="", only="all"):
    """Searches, and waits for the count."""
    page.locator("#find select").select_option(only)
    page.fill("#find-text", text)
    page.wait_for_selector("#find[aria-busy=false]")
    return int(page.inner_text("#find-status").split()[0])


def test_texts_are_found_wherever_they_stand(opened, report):
    found = opened(report)
    page = found.page
    queries, corpus = read_queries(TEXTS["queries"]), read_corpus(TEXTS["corpus"])
    runs = [read_run(sample("run.txt")), read_run(report.parent / "lists.txt")]
    for text in ("Fleas", "panama canal", "nowhere to be found"):
        has = {doc_id for doc_id, doc in corpus.items() if text.lower() in doc.content.lower()}
        holds = {query_id: {doc_id for run in runs for doc_id, _ in run[query_id]} & has for query_id in queries}
        wanted = [q for q, query in queries.items() if holds[q] or text.lower() in query.lower()]
        assert find(page, text) == len(wanted)
        said = page.locator("#find-hits li").all_text_contents()
        assert len(said) == len(wanted)
        for query_id, line in zip(wanted, said, strict=True):
            assert line.startswith(queries[query_id])
            assert not holds[query_id] or f"{len(holds[query_id])} document" in line
    assert find(page, r"/^q[12]\b/") == 2
    page.fill("#find-text", "/(/")
    page.wait_for_selector("#find[aria-busy=false]")
    assert "This is no regular expression" in page.inner_text("#find-status")
    assert found.complaints == []


def test_queries_are_found_by_what_became_of_them(opened, report):
    found = opened(report)
    page = found.page
    found.choose("after", "lists")
    data = json.loads(page.locator("#data").text_content())
    values = data["parts"][0]["values"]
    gains = [a - b for a, b in zip(values["lists"]["nDCG@10"], values["first stage"]["nDCG@10"], strict=True)]
    assert find(page, only="worse") == sum(gain < 0 for gain in gains)
    assert find(page, only="better") == sum(gain > 0 for gain in gains)
    calls = read_calls(report.parent / "lists.txt.journal")
    bad = sum(any(call.status != "parsed" for call in calls[f"q{i}"]) for i in range(1, 9))
    assert find(page, only="trouble") == bad > 0
    assert page.locator("#browser select[data-name=place] option").count() == bad
    orders = [read_run(report.parent / f"{name}.txt") for name in ("lists", "pairs", "full0", "full1")]
    orders.append(read_run(sample("run.txt")))
    split = sum(len({trec_order(order[f"q{i}"])[0] for order in orders}) > 1 for i in range(1, 9))
    assert find(page, only="split") == split > 0
    assert find(page, only="failed") == 0
    assert "No query of this page is so." in page.inner_text("#browser")


def test_a_link_shows_the_same(opened, report):
    found = opened(report)
    found.choose("after", "pairs")
    found.choose("place", "4")
    find(found.page, "the")
    address = found.page.url
    assert address != report.as_uri()
    again = opened(report)
    again.page.goto("about:blank")
    again.page.goto(address)
    again.page.wait_for_selector("#find-status:text(' of 8 queries')")
    for shown in ("#browser h3 >> nth=0", "#find-status", "#browser select[data-name=after]"):
        assert again.page.locator(shown).inner_text() == found.page.locator(shown).inner_text()
    assert again.page.input_value("#browser select[data-name=after]") == "pairs"
    assert again.page.input_value("#find-text") == "the"
    assert again.complaints == []


def tau(one, other):
    """Kendall's, of two orders of the same."""
    at = {doc_id: place for place, doc_id in enumerate(other)}
    pairs = list(itertools.combinations([at[doc_id] for doc_id in one], 2))
    return sum(1 if a < b else -1 for a, b in pairs) / len(pairs)


def test_two_systems_side_by_side_with_what_differs(opened, report):
    found = opened(report)
    found.choose("before", "pairs")
    found.choose("after", "lists")
    found.choose("place", "1")
    page = found.page
    grades = read_qrels(sample("qrels.txt"))["q2"]
    one, other = (trec_order(read_run(report.parent / f"{name}.txt")["q2"]) for name in ("pairs", "lists"))
    parts = next(i for i, pair in enumerate(zip(one, other, strict=True)) if len(set(pair)) > 1)
    shared = set(one[:10]) & set(other[:10])
    said = page.inner_text("#browser .contrast p").replace("\u2212", "-")
    assert said.startswith(f"They part at place {parts + 1}. Of the first 10, {len(shared)} are in both;")
    assert float(re.search(r"is (-?[0-9.]+)\.$", said)[1]) == pytest.approx(tau(one, other), abs=0.005)
    for side, order in (("before", one), ("after", other)):
        items = f"[...document.querySelectorAll('.{side} li')]"
        marked = page.evaluate(f"() => {items}.flatMap((item, i) => (item.classList.contains('lone') ? [i] : []))")
        assert marked == [i for i, doc_id in enumerate(order[:10]) if doc_id not in shared]
        line = page.locator(f"#browser .contrast li:has-text('of {'pairs' if side == 'before' else 'lists'}')")
        lone = [doc_id for doc_id in order[:10] if doc_id not in shared]
        if lone:
            assert line.locator("bdi").all_text_contents() == lone
            assert f"(grade {grades[lone[0]]})" in line.inner_text() or lone[0] not in grades
    assert found.complaints == []


def test_answers_about_the_same_documents_stand_side_by_side(opened, report):
    found = opened(report)
    found.choose("before", "seeds")
    found.choose("after", "seeds")
    found.choose("afterRun", "1")
    page = found.page
    answers = [read_calls(report.parent / f"full{seed}.txt.journal") for seed in (0, 1)]
    for place in range(3):
        found.choose("place", str(place))
        page.locator("#calls select[data-name=calls]").select_option("both")
        one, other = (calls[f"q{place + 1}"][0].answer for calls in answers)
        differ = one["groups"] != other["groups"]
        assert f"in 1 call; {int(differ)} of the answers differ" in page.inner_text("#calls")
        row = page.locator("#calls tbody tr").first
        assert (
            row.locator("td").last.inner_text() == ("\u2260\u00a0differ" if differ else "same")[-6 if differ else 0 :]
        )
        best_first = " > ".join(doc_id for (doc_id,) in one["groups"])
        assert row.locator("td.answer").first.text_content().partition(", omitted")[0] == best_first
    row.locator("button").click()
    assert page.locator("#calls .exchange").count() == 2
    assert "calls=both" in page.url
    again = opened(report)
    again.page.goto("about:blank")
    again.page.goto(page.url)
    again.page.wait_for_selector("#calls table.together")
    assert found.complaints == again.complaints == []


def test_no_page_is_larger_than_it_may_be(tmp_path):
    """Many short queries: what is said of each counts as well."""
    ids = [f"query number {i}" for i in range(2000)]
    run = {query_id: [("d1", 2.0), ("d2", 1.0)] for query_id in ids}
    lines = [f"{q.replace(' ', '_')} Q0 {d} 1 {score} x\n" for q, docs in run.items() for d, score in docs]
    (tmp_path / "run.txt").write_text("".join(lines))
    (tmp_path / "qrels.txt").write_text("".join(f"{q.replace(' ', '_')} 0 d2 1\n" for q in ids))
    page = rerankllm.report({"a": tmp_path / "run.txt"}, qrels=tmp_path / "qrels.txt", max_size=0.6)
    assert 580_000 < page.size <= 600_000
    assert re.match(r"Left out: \d+ of the 2000 queries", page.content.left_out[0])


def test_calls_for_which_there_was_no_room_are_said_to_be_missing(opened, report, tmp_path):
    given = {
        "qrels": sample("qrels.txt"), "first_stage": sample("run.txt"), "query_texts": TEXTS["queries"],
        "corpus": TEXTS["corpus"], "measures": MEASURES,
    }  # fmt: skip
    whole = rerankllm.report(compared(report.parent), **given).content
    least = frame.size() + len(as_data(whole.main).encode()) + sum(map(len, whole.scripts.values()))
    size = (least - len(whole.scripts["calls-0-0"])) / 1e6
    small = rerankllm.report(compared(report.parent), **given, output=tmp_path / "small.html", max_size=size)
    assert small.size <= size * 1e6
    (said,) = small.content.left_out
    assert re.match(r"Left out: prompts and answers of [1-7] (query|queries), to keep the file below 0\.\d+ MB", said)
    found = opened(tmp_path / "small.html")
    found.choose("after", "pairs")
    texts = []
    for place in range(8):
        found.choose("place", str(place))
        texts.append("there was no room for them in this page" in found.page.inner_text("#calls"))
    assert sum(texts) == int(re.search(r"answers of (\d)", said)[1])


def test_tables_leave_as_csv_and_latex(opened, report):
    found = opened(report)
    page = found.page
    with page.expect_download() as got:
        page.locator("#summary .export button:text('CSV')").first.click()
    rows = list(csv.DictReader(Path(got.value.path()).read_text().splitlines()))
    comparison = rerankllm.compare(
        compared(report.parent), sample("qrels.txt"), first_stage=sample("run.txt"), measures=MEASURES
    )
    wanted = {system["name"]: system["means"]["nDCG@10"] for system in comparison.to_dict()["systems"]}
    assert {row["system"]: [float(row[c]) for c in ("nDCG@10", "low", "high")] for row in rows} == {
        name: [value["mean"], value["low"], value["high"]] for name, value in wanted.items()
    }
    found.choose("after", "pairs")
    found.choose("place", "0")
    with page.expect_download() as got:
        page.locator("#calls .export button:text('CSV')").click()
    calls = read_calls(report.parent / "pairs.txt.journal")["q1"]
    told = list(csv.DictReader(Path(got.value.path()).read_text().splitlines()))
    assert [row["documents shown"].split() for row in told] == [list(call.docs) for call in calls]
    assert [row["read as"] for row in told] == [call.status for call in calls]
    with page.expect_download() as got:
        page.locator("#consistency .export button:text('CSV')").first.click()
    traits = {row[0]: row[1:] for row in csv.reader(Path(got.value.path()).read_text().splitlines())}
    assert traits[""] == ["lists", "pairs", "seeds"]
    assert traits["Answers"][1] == f"{sum(map(len, read_calls(report.parent / 'pairs.txt.journal').values())):,}"
    page.evaluate("navigator.clipboard.writeText = (text) => { window.copied = text; }")
    page.locator("#summary .export button:text('Copy LaTeX')").click()
    page.wait_for_selector("#summary .export [role=status]:text('copied')")
    assert page.evaluate("window.copied") == comparison.paper().latex()
    assert all(url.startswith(("file:", "blob:")) for url in found.requests)


def test_hostile_texts_are_texts(opened, hostile):
    found = opened(hostile)
    page = found.page
    assert page.title() == "</title><script>1"
    assert page.locator("#browser h3").first.text_content() == "<b>bold</b></script> \u202equery"
    assert page.evaluate("document.scripts.length") == 4
    for row in page.locator(".after .doc").all():
        row.click()
    pairs = [
        (p.locator("bdi").text_content(), p.locator(".body").text_content())
        for p in page.locator(".after .passage").all()
    ]
    content = {i: " ".join(text.split()) for i, text in HOSTILE.items()}
    for doc_id, text in pairs:
        assert text.replace("\u2400", "\0") == content[doc_id]
        assert "\0" not in text
    assert {doc_id for doc_id, _ in pairs} == set(HOSTILE)
    page.locator("#calls tbody button").first.click()
    assert "</script><script>document.title" in page.locator("pre.prompt").text_content()
    assert page.locator("main img, main b, main i").count() == 0
    assert page.title() == "</title><script>1"
    assert found.widest() == 1280
    assert (found.complaints, found.requests) == ([], [hostile.as_uri()])


def test_order_robustness_is_there_when_it_was_measured(opened, report, tmp_path):
    assert opened(report).page.locator("#robust").is_hidden()
    first = [Given(FIRST, None, (sample("run.txt"),))]
    inputs = Inputs({"lists": [Given("lists", None, (report.parent / "lists.txt",))]}, first)
    quality = {"given": Estimate(0.7123, 0.6, 0.8), "reversed": Estimate(0.5, 0.4, 0.6)}
    robust = Robust("lists", "nDCG@10", quality, (OrderPair("given", "reversed", 0.25, 0.6),), 0.2)
    options = ComparisonOptions(("nDCG@10",))
    subject = replace(from_runs({"sample": read_qrels(sample("qrels.txt"))}, inputs, options), robust=(robust,))
    path = tmp_path / "page.html"
    path.write_text(html(content("Orders", [subject], Extent(), "0")), encoding="utf-8")
    section = opened(path).page.locator("#robust")
    assert section.is_visible()
    assert section.locator("tbody").first.locator("td").all_text_contents() == [
        "0.7123 [0.600, 0.800]", "0.5000 [0.400, 0.600]", "0.200"
    ]  # fmt: skip
    assert section.locator("tbody").nth(1).locator("td").all_text_contents() == ["given", "reversed", "0.250", "60 %"]


def test_what_attacks_did_is_shown_as_text(opened, report, tmp_path):
    assert opened(report).page.locator("#attacks").is_hidden()
    nothing, some = ({"mean": mean, "low": mean, "high": mean} for mean in (None, 0.5))
    row = {"attack": "<b>claim", "kind": "meaning", "success": some, "top": nothing, "gained": some, "of": 4,
           "resisted": 1, "echoed": 1, "failed": 0}  # fmt: skip
    section = {"system": "<i>full", "model": "m", "top": 3, "rows": [row], "flagged": {}, "notes": ["<img>"]}
    first = [Given(FIRST, None, (sample("run.txt"),))]
    inputs = Inputs({"lists": [Given("lists", None, (report.parent / "lists.txt",))]}, first)
    subject = from_runs({"sample": read_qrels(sample("qrels.txt"))}, inputs, ComparisonOptions(("nDCG@10",)))
    path = tmp_path / "page.html"
    path.write_text(html(content("Attacks", [subject], Extent(), "0", [section])), encoding="utf-8")
    found = opened(path)
    shown = found.page.locator("#attacks")
    assert shown.is_visible()
    assert shown.locator("h3").text_content() == "<i>full"
    assert shown.locator("tbody td, tbody th").all_text_contents() == [
        "<b>claim", "meaning", "0.50 [0.50, 0.50]", "4", "–", "+0.5 [+0.5, +0.5]", "1", "1", "0", "–"
    ]  # fmt: skip
    assert found.complaints == []


def contrast(one, other):
    def light(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colours_can_be_told_from_their_ground():
    text = read("rerankllm.web", "base.css")
    themes = [
        dict(TOKEN.findall(block)) for block in re.findall(r"\{([^{}]*--paper:[^{}]*#[0-9a-f]{6};[^{}]*)\}", text)
    ]
    whole = [theme for theme in themes if len(theme) >= 9]
    assert len(whole) == 3
    assert whole[1] == whole[2]  # dark by the system's wish and by the button
    for theme in whole:
        for name in ("ink", "soft", "accent", "gain", "loss"):
            assert contrast(theme[name], theme["paper"]) >= 4.5, name
            assert contrast(theme[name], theme["wash"]) >= 4.5, name
        assert contrast(theme["on-accent"], theme["accent"]) >= 4.5
