"""The page end to end in a browser: what it shows is what was ranked, and what goes wrong is said in words."""

import ast
import json
import re
import shlex
import shutil
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest
from serving import GENEROUS, listening, metric, offering
from waiting import GUARD, until

from rerankllm import Reranker
from rerankllm.data import Document, Query
from rerankllm.drivers.budget import Limits as Spent
from rerankllm.drivers.events import Judged
from rerankllm.judgements import Compare, Status
from rerankllm.sample import path as sample
from rerankllm.server.keys import Keys

pytestmark = pytest.mark.slow

TEXTS = [f"worth {n}" for n in range(12)]
HOSTILE = [
    "</script><script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\"> worth 3",
    "\u202etxet sdrawkcab\u202c שלום עולם worth 2",
    "x" * 3000 + " worth 5",
    "event: finished data: {} & <!-- ]]> {{ 7*7 }} \u2028 worth 4",
    "́" * 300 + " worth 1",
]


class Opened:
    """A page, with what it asked for and complained of."""

    def __init__(self, browser, url, **settings):
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
        self.context.set_default_timeout(1000 * GUARD)
        self.page = self.context.new_page()
        self.requests, self.complaints, self._loaded = [], [], False
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(url)

    def loaded(self):
        """Waits for the sample, which the form starts with; once, as what counts passages is empty without any."""
        if not self._loaded:
            self.page.wait_for_selector("#counted:not(:empty)")
            self._loaded = True

    def fill(self, query="what is worth most", passages=TEXTS, model="points"):
        self.loaded()
        self.page.select_option("#model", model)
        self.page.fill("#query", query)
        self.page.fill("#passages", "\n".join(passages))

    def rank(self, *, wait=True):
        self.page.click("#run")
        if wait:
            self.wait()

    def wait(self):
        self.page.wait_for_selector("#run:not([disabled])")

    def order(self, side):
        return self.page.locator(f".{side} .doc .text").all_text_contents()

    def error(self):
        self.page.wait_for_selector("#error p")
        assert self.order("after") == []
        return self.page.locator("#error").inner_text()

    def outside(self):
        """What sticks out of the page, but for what scrolls by itself."""
        return self.page.evaluate(
            """() => [...document.querySelectorAll("body *")]
               .filter((e) => !e.closest(".scroll, select, .skip, pre, svg"))
               .filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
               .map((e) => e.outerHTML.slice(0, 80))"""
        )


@pytest.fixture
def opened(browser):
    pages = []

    def open_page(live, **settings):
        pages.append(Opened(browser, live.url, **settings))
        return pages[-1]

    yield open_page
    for each in pages:
        each.context.close()


class Turnstile:
    """A gate that lets so many batches through."""

    def __init__(self):
        self._passes = threading.Semaphore(0)

    def let(self, count):
        for _ in range(count):
            self._passes.release()

    def wait(self, seconds):
        self._passes.acquire(timeout=seconds)

    def set(self):
        self.let(1000)


@contextmanager
def stepwise():
    """A server whose engine answers when it is told to."""
    with listening() as live:
        live.engine.gate = Turnstile()
        yield live


def test_judgements_are_seen_before_the_ranking_is_which_is_the_rerankers(opened):
    with stepwise() as live:
        found = opened(live)
        page = found.page
        found.fill(model="order")
        until(lambda: page.locator("#plan dd").all_text_contents() == ["5", "5", "20"])
        found.rank(wait=False)
        live.engine.gate.let(2)
        page.wait_for_selector("#calls tbody tr:nth-child(2)")
        assert page.locator(".after ol").count() == 0
        assert page.locator("#calls tbody tr").count() == 2
        seen = page.locator(".before .seen").all_text_contents()
        assert [re.sub(r"\D", "", each) for each in seen] == [*[""] * 6, *"111122"]
        live.engine.gate.set()
        found.wait()
    with Reranker("sliding(window=4, stride=2)", "counting:test") as reranker:
        ranking = reranker.rerank("what is worth most", TEXTS)
    assert found.order("after") == [result.document.text for result in ranking]
    assert found.order("before") == TEXTS
    assert page.locator("#calls tbody tr").count() == ranking.ledger.calls == 5
    assert "Done: 5 calls" in page.inner_text("#state")
    assert found.complaints == []
    assert all(url.startswith(f"{live.url}/") for url in found.requests)


def test_the_sample_its_cost_and_its_contradictions(opened):
    model, seen = f"simulated:{sample('qrels.txt')}?world=harsh&malformed=0.1", []
    with Reranker("pointwise", model, driver="concurrent") as reranker, offering({"judge": reranker}) as live:
        found = opened(live)
        page = found.page
        page.wait_for_selector("#sample option[value=q7]", state="attached")
        page.select_option("#sample", "q7")
        page.select_option("#strategy", "prp(sort=allpair)")
        page.wait_for_selector("#plan code:text('allpair')")
        found.rank()
        documents = found.page.request.get(f"{live.url}/page/sample?query_id=q7").json()
        query = Query("q7", "how do noise cancelling headphones work")
        own = reranker.beside("prp(sort=allpair)")
        texts = [Document(each["id"], each["text"]) for each in documents]
        outcome = own.submit(query, texts, observer=seen.append).result()
    assert found.order("after") == [result.document.text[:240] for result in outcome]
    comparisons = [e for e in seen if isinstance(e, Judged) and isinstance(e.judgement, Compare)]
    p = {tuple(d.doc_id for d in e.judgement.docs): e.answer for e in comparisons if isinstance(e.answer, float)}
    both = [(p[a, b], p[b, a]) for a, b in p if a < b and (b, a) in p]
    against = sum((x > 0.5 < y) or (x < 0.5 > y) for x, y in both)
    rows = dict(row.split("\t")[:2] for row in page.inner_text("#numbers").splitlines() if "\t" in row)
    assert rows["calls answered"] == str(outcome.ledger.calls)
    assert rows["passages sent"] == str(outcome.ledger.slots)
    assert rows["pairs asked both ways"] == str(len(both))
    assert rows["of these contradicted: the winner changed with the order"] == str(against)
    ledger = outcome.ledger
    answered = ledger.parsed + ledger.repaired + ledger.failed
    assert rows["calls without a usable answer"] == f"{ledger.failed} of {answered}"
    assert page.locator("#calls tbody tr").count() == 50
    page.click("#calls button:text('Show 50 more')")
    assert page.locator("#calls tbody tr").count() == 100
    page.select_option("#calls select", "bad")
    failed = sum(e.report.status is Status.FAILED for e in comparisons)  # the first of two tries, too
    assert page.locator("#calls tbody tr").count() == min(50, failed)
    assert found.complaints == []


def test_stop_ends_the_servers_query(opened):
    with stepwise() as live:
        found = opened(live)
        found.fill(model="order")
        found.rank(wait=False)
        live.engine.gate.let(1)
        found.page.wait_for_selector("#calls tbody tr")
        found.page.click("#stop")
        found.wait()
        assert "Stopped after 1 call" in found.page.inner_text("#state")
        assert found.order("after") == []
        assert found.page.inner_text("#error") == ""
        until(lambda: metric(live, "rerankllm_requests_in_flight") == 0)
        live.engine.gate.set()
        until(lambda: metric(live, 'rerankllm_requests_total{alias="order",route="/page/rerank",status="499"}') == 1)
        assert len(live.engine.batches) <= 2  # the one under way is not taken back
        found.rank()
        assert found.order("after")[:2] == ["worth 11", "worth 10"]
    assert found.complaints == []


def test_by_keyboard_only(opened, live):
    found = opened(live)
    page = found.page
    found.loaded()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "query":
            break
    page.keyboard.press("Control+A")
    page.keyboard.type("what is worth most")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    for text in TEXTS[:4]:
        page.keyboard.type(f"{text}\n")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".after .doc")
    found.wait()
    assert found.order("after") == ["worth 3", "worth 2", "worth 1", "worth 0"]
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.className || document.activeElement.id"))
        ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert ring == "solid" or page.evaluate("document.activeElement === document.body")
        if page.evaluate("document.activeElement.matches('.after .doc')"):
            break
    assert {"doc", "model", "strategy", "top", "run"} <= reached
    page.keyboard.press("Enter")
    assert page.locator(".after .passage .body").inner_text() == "worth 3"
    page.keyboard.press("Enter")
    assert page.locator(".after .passage").count() == 0


def test_escape_stops(opened):
    with stepwise() as live:
        found = opened(live)
        found.fill(model="order")
        found.page.press("#query", "Enter")
        until(lambda: live.engine.batches)
        found.page.keyboard.press("Escape")
        found.wait()
        assert "Stopped" in found.page.inner_text("#state")


def test_errors_are_said_in_words_and_never_rank(opened):
    with listening(replace(GENEROUS, documents=5, in_flight=1)) as live:
        found = opened(live)
        page = found.page
        found.fill(query="")
        page.click("#run")
        assert "There is no query" in found.error()
        found.fill(passages=[])
        found.rank()
        assert "There are no passages" in found.error()
        found.fill(passages=['[{"id": 1}]'])
        page.wait_for_selector("#counted.problem:text('Item 1 of the JSON should be a text')")
        found.rank()
        assert "The passages cannot be read" in found.error()
        found.fill(passages=TEXTS[:6])
        found.rank()
        assert "6 documents are more than the 5 that this server takes" in found.error()
        found.fill(query="it cannot", passages=TEXTS[:3])
        found.rank()
        assert "The passages could not be ranked" in found.error()
        assert found.error().split("\n\n") == ["The passages could not be ranked", "Scripted failure."]
        assert page.locator("#calls .status.failed").count() == 3
        found.fill(passages=TEXTS[:3])
        page.select_option("#strategy", "written")
        page.fill("#own", "slidng")
        page.locator("#plan .problem", has_text="did you mean 'sliding'").wait_for()
        page.select_option("#strategy", "own")
        live.engine.gate.clear()
        other = opened(live)
        other.fill(passages=TEXTS[:2])
        other.rank(wait=False)
        until(lambda: metric(live, "rerankllm_requests_in_flight") == 1)
        found.rank()
        assert "The server is busy" in found.error()
        live.engine.gate.set()
        other.wait()
        found.rank()
        assert page.inner_text("#error") == ""
        assert found.order("after") == ["worth 2", "worth 1", "worth 0"]


def test_a_budget_that_is_used_up_is_said(opened):
    points = Reranker("pointwise", "counting:test", driver="concurrent", per_query=Spent(calls=3))
    with points, offering({"points": points}) as live:
        found = opened(live)
        found.fill(passages=TEXTS[:4])
        found.rank()
        said = "The query's budget of 3 calls is used up (3 calls spent)."
        assert found.error().split("\n\n") == ["This may not cost any more", said]


def test_a_deadline_is_said(opened):
    with listening() as live:
        live.engine.gate.clear()
        found = opened(live)
        found.fill()
        found.rank(wait=False)
        until(lambda: live.engine.batches)
        live.leap(GUARD)
        found.wait()
        assert "It took longer than the server allows" in found.error()
        assert "no answer within 900 s" in found.error()


def answering(content):
    return lambda route: route.fulfill(content_type="text/event-stream", body=content)


def test_a_connection_that_is_lost(opened, live):
    found = opened(live)
    found.fill()
    plan = {"calls": [9, 9], "rounds": [1, 1], "slots": [9, 9]}
    half = f"event: started\ndata: {json.dumps({'plan': plan, 'strategy': 'x', 'models': []})}\n\n"
    for content in ("", half, f"{half}event: finished\ndata: {json.dumps({'results': []})}\n"):
        found.page.route("**/page/rerank", answering(content))
        found.rank()
        assert "The connection to the server was lost" in found.error()
    found.page.route("**/page/rerank", lambda route: route.abort())
    found.rank()
    assert "The server cannot be reached" in found.error()


def test_a_key_is_asked_for_and_kept_in_the_tab_only(opened):
    with listening(keys=Keys(["secret"])) as live:
        found = opened(live)
        page = found.page
        page.wait_for_selector("#key", state="visible")
        assert found.complaints == []
        page.fill("#key", "wrong")
        page.keyboard.press("Enter")
        assert "none of the server's keys" in found.error()
        page.fill("#key", "secret")
        page.keyboard.press("Enter")
        page.wait_for_selector("#model option", state="attached")
        found.fill()
        found.rank()
        assert found.order("after")[0] == "worth 11"
        assert page.evaluate("[localStorage.length, document.cookie, Object.keys(sessionStorage).join()]") == [
            0, "", "rerankllm-key"
        ]  # fmt: skip
        page.reload()
        page.wait_for_selector("#model option", state="attached")
        assert page.input_value("#key") == "secret"


@pytest.mark.parametrize("width", [1280, 320])
def test_what_is_pressed_stays_where_it_is_when_the_plan_comes(opened, live, width):
    found = opened(live, viewport={"width": width, "height": 800})
    found.fill(passages=[])
    found.page.wait_for_selector("#plan .soft")
    before = found.page.locator("#run").bounding_box()
    found.page.fill("#passages", "\n".join(TEXTS))
    found.page.wait_for_selector("#plan dd")
    assert found.page.locator("#run").bounding_box() == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 700, 360, 320])
def test_nothing_is_wider_than_the_page_whatever_the_texts(opened, live, width, scheme):
    found = opened(live, viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce")
    page = found.page
    found.fill(query=HOSTILE[0], passages=[json.dumps(HOSTILE)], model="order")
    found.rank()
    assert [text[-7:] for text in found.order("after") if len(text) < 240] == ["worth 4", "worth 3", "worth 2"]
    page.locator("#calls tbody button").first.click()
    for doc in page.locator(".after .doc").all():
        doc.click()
    assert page.locator(".after .passage .body").first.inner_text().startswith("xxx")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert found.outside() == []
    status = page.locator("#calls .status").first.bounding_box()
    assert status["width"] > 0
    assert status["x"] + status["width"] <= width  # how an answer read is seen without scrolling
    assert page.title() == "rerankllm"
    assert page.locator("main img, main script").count() == 0
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(253, 253, 252)"
    assert dark == (scheme == "dark")
    assert found.complaints == []


def test_passages_are_read_as_they_look(opened, live):
    found = opened(live)
    page = found.page
    page.wait_for_selector("#model option", state="attached")
    for text, said in (
        ("a\nb\n\n", "2 passages, one a line."),
        ("a\nb\n\nc", "2 passages, separated by blank lines."),
        ('["a", {"id": 7, "text": "b"}]', "2 passages, JSON."),
        ('{"text": "a"}\n{"text": "b"}', "2 passages, JSON."),
        ("[1] see below", "1 passage, one a line."),
        ("{curly} brackets", "1 passage, one a line."),
        ('["a", ', "This is not JSON"),
        ("", ""),
    ):
        page.fill("#passages", text)
        until(lambda said=said: re.match(re.escape(said) + ("" if said else "$"), page.inner_text("#counted")))


def test_a_thousand_passages_and_thousands_of_calls(opened):
    with Reranker("pointwise", "counting:test", driver="concurrent") as reranker:
        aliases = {"twice": reranker.beside("sliding(window=4, stride=1, passes=3)")}
        with offering({"points": reranker, **aliases}) as live:
            found = opened(live)
            found.fill(passages=[f"worth {n}" for n in range(1000)], model="twice")
            found.rank()
            assert "Done: 2,991 calls" in found.page.inner_text("#state")
            assert found.order("after")[0] == "worth 999"
            found.page.click("#moved button.below")
            assert found.page.locator(".after .doc").count() == 1000
    assert found.complaints == []


def test_it_starts_with_a_sample_that_ranks(opened, live):
    found = opened(live)
    found.loaded()
    assert found.page.input_value("#sample") == "q1"
    assert found.page.input_value("#query") == "how long do fleas live"
    assert found.page.inner_text("#counted") == "20 passages, of the sample."


def test_a_link_shows_the_same(opened, live):
    found = opened(live)
    found.fill(query="worth & = # ü", passages=["worth 1", "worth 2"], model="order")
    found.page.fill("#top", "1")
    found.page.click("[data-share=link]")
    link = found.page.inner_text("#shared pre")
    assert link == found.page.url
    again = opened(live)
    again.page.goto("about:blank")
    again.page.goto(link)
    again.page.wait_for_selector("#counted:text('2 passages')")
    fields = ("query", "passages", "model", "top")
    assert [again.page.input_value(f"#{field}") for field in fields] == [
        "worth & = # ü",
        "worth 1\nworth 2",
        "order",
        "1",
    ]
    again.rank()
    assert len(again.order("after")) == 2
    assert not any("worth" in url for url in again.requests if "/page/" in url)  # texts stay out of servers' logs


def test_a_sample_is_named_in_a_link_and_ranked_by_its_ids(opened, live):
    found = opened(live)
    found.loaded()
    found.page.click("[data-share=link]")
    link = found.page.inner_text("#shared pre")
    assert "sample=q1" in link
    assert "passages" not in link
    again = opened(live)
    again.page.goto("about:blank")
    again.page.goto(link)
    again.page.wait_for_selector("#counted:text('20 passages, of the sample.')")


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_what_is_copied_runs(opened, live):
    """curl asks this server; Python and the command line are read by what reads them."""
    found = opened(live)
    texts = ["it's worth 1", 'worth "2" \\\\ $HOME', "worth 3"]
    found.fill(passages=[json.dumps(texts)])

    begins = {"curl": "curl 'http", "python": "from rerankllm import", "command": "rerankllm rank"}

    def copied(kind):
        found.page.click(f"[data-share={kind}]")
        until(lambda: "".join(found.page.locator("#shared pre").all_text_contents()).startswith(begins[kind]))
        return found.page.inner_text("#shared pre")

    shell = shutil.which("bash") or "/bin/sh"
    done = subprocess.run([shell, "-c", copied("curl")], capture_output=True, text=True, check=True)
    assert [each["index"] for each in json.loads(done.stdout)["results"]] == [2, 1, 0]
    code = ast.parse(copied("python"))
    (documents,) = (node.value for node in ast.walk(code) if isinstance(node, ast.Assign))
    assert ast.literal_eval(documents) == texts
    words, _, lines = copied("command").partition(" <<'EOF'\n")
    assert shlex.split(words)[:4] == ["rerankllm", "rank", "what is worth most", "-"]
    assert [json.loads(line)["text"] for line in lines.splitlines()[:-1]] == texts


def test_a_table_is_opened_and_its_column_chosen(opened, live, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text('id;abstract;text\n1;"worth ""4""; really";worth 1\n2;"worth\n3";worth 2\n', encoding="utf-8-sig")
    found = opened(live)
    found.fill()
    found.page.set_input_files("#file", path)
    found.page.wait_for_selector("#counted:text('2 passages, JSON.')")
    assert [json.loads(line) for line in found.page.input_value("#passages").splitlines()] == [
        {"id": "1", "text": "worth 1"}, {"id": "2", "text": "worth 2"},
    ]  # fmt: skip
    found.page.select_option("#column", label="abstract")
    assert [json.loads(line)["text"] for line in found.page.input_value("#passages").splitlines()] == [
        'worth "4"; really', "worth\n3",
    ]  # fmt: skip
    found.rank()
    assert len(found.order("after")) == 2
    plain = tmp_path / "p.txt"
    plain.write_text("worth 5\nworth 6\n")
    found.page.set_input_files("#file", plain)
    found.page.wait_for_selector("#counted:text('2 passages, one a line.')")
    assert not found.page.is_visible("#column")


def test_a_call_opens_to_its_prompt_however_the_passages_are_spaced(opened, live):
    texts = ["a passage with \u00a0 odd\u2003spaces \x85 and\x1c lines\r\n\tin it, worth 2 \U0001f9ea ok",
             "\ufeffa mark that is no space stays, and so does the rest of it: worth 7", "worth 5"]  # fmt: skip
    found = opened(live)
    found.fill(passages=[json.dumps(texts)], model="order")
    found.rank()
    found.page.locator("#calls tbody button").first.click()
    content = [Document(str(i), text).content for i, text in enumerate(texts)]
    asked = "\n".join(["Permute: what is worth most", *(f"[{i}] {text}" for i, text in enumerate(content))])
    assert found.page.locator("#calls pre.prompt").text_content() == asked
    assert found.page.locator("#calls pre.prompt .from").all_text_contents() == content[:2]  # the third is in the words


def test_two_strategies_are_seen_side_by_side(opened, live):
    found = opened(live)
    page = found.page
    found.fill()
    page.select_option("#strategy", "full")
    page.select_option("#beside", "written")
    page.fill("#beside-own", "sliding(window=4, stride=1)")
    until(lambda: page.locator("#plan code").count() == 2)
    page.click("[data-share=python]")
    until(lambda: page.locator("#shared pre").count() == 1)
    code = page.inner_text("#shared pre")
    assert ast.parse(code)
    assert 'for strategy in ("full", "sliding(window=4, stride=1)"):' in code
    found.rank()
    orders = []
    with Reranker("pointwise", "counting:test") as reranker:
        for stage in ("full", "sliding(window=4, stride=1)"):
            ranking = reranker.beside(stage).rerank("what is worth most", TEXTS)
            orders.append([result.document.text for result in ranking])
    assert orders[0] != orders[1]
    assert [found.order("before"), found.order("after")] == orders
    heads = page.locator("#moved h4").all_text_contents()
    assert [head.partition("(")[0] for head in heads] == ["full", "sliding"]
    parts = next(i for i, (one, other) in enumerate(zip(*orders, strict=True)) if one != other)
    shared = len(set(orders[0][:10]) & set(orders[1][:10]))
    assert f"They part at place {parts + 1}. Of the first 10, {shared} are in both" in page.inner_text("#moved")
    assert page.locator("#moved .after li.lone").count() == 10 - shared
    heads = [f"{what} of {stage}" for stage in heads for what in ("Cost", "Consistency")]
    assert page.locator("#numbers h2").all_text_contents() == heads
    assert page.locator("#calls h2").count() == 2
    assert page.locator("#state .line").count() == 2
    page.locator("#moved select").select_option("2")
    assert [found.order("before"), found.order("after")] == [TEXTS, orders[1]]
    again = opened(live)
    again.page.goto("about:blank")
    again.page.goto(page.url)
    again.loaded()
    assert again.page.input_value("#beside-own") == "sliding(window=4, stride=1)"
    assert again.page.is_visible("#beside-own")
    assert found.complaints == again.complaints == []


def test_of_two_strategies_one_may_fail(opened):
    model = f"simulated:{sample('qrels.txt')}?world=harsh&malformed=1"
    with Reranker("full", model, driver="concurrent") as reranker, offering({"judge": reranker}) as live:
        found = opened(live)
        page = found.page
        found.loaded()
        page.select_option("#beside", "pointwise")
        found.rank()
        assert page.locator("#error p").count() >= 1
        assert page.locator(".after .doc").count() in {0, 20}
        assert page.locator("#state .line").count() == 2


def test_a_column_of_json_lines_is_chosen(opened, live, tmp_path):
    path = tmp_path / "p.jsonl"
    rows = [{"nr": 1, "abstract": "worth 4", "note": "x"}, {"nr": 2, "abstract": "worth 9, really", "tags": ["y"]}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = opened(live)
    found.fill()
    found.page.set_input_files("#file", path)
    found.page.wait_for_selector("#counted:text('2 passages, JSON.')")
    columns = found.page.locator("#column option").all_text_contents()
    assert columns == ["nr", "abstract", "note"]
    assert found.page.locator("#column option:checked").text_content() == "abstract"
    found.page.select_option("#column", label="note")
    found.page.wait_for_selector("#counted:text('1 passage, JSON.')")
    found.page.select_option("#column", label="abstract")
    found.rank()
    assert found.order("after") == ["worth 9, really", "worth 4"]
