// Everything, put together.
const run = { stop: null, begun: false };
const WELCOME = byId("state").textContent;

function say(...what) {
  fill(byId("state"), what);
}
function show(error) {
  fill(byId("error"), el("p", {}, error.message), error.advice ? el("p", {}, error.advice) : null);
  if (error.key) {
    byId("key-field").hidden = false;
    byId("key").focus();
  }
}
function underWay(on) {
  byId("run").disabled = on;
  byId("stop").disabled = !on;
  byId("progress").hidden = !on;
}

/** What is missing, in words; null where nothing is. */
function missing() {
  if (!byId("query").value.trim()) return ["query", "There is no query", "Write what is searched for."];
  const { passages, problem } = passagesChosen();
  if (problem) return ["passages", "The passages cannot be read", problem];
  if (!passages.length) return ["passages", "There are no passages", "Paste some, or start from a sample."];
  if (Number.isNaN(topChosen()))
    return ["top", "How many first places matter cannot be read", "A whole number from 1, or nothing for all."];
  return null;
}

async function rank() {
  if (run.stop || !form.choices) return;
  fill(byId("error"));
  const gap = missing();
  if (gap) {
    show(new Trouble(gap[1], gap[2]));
    byId(gap[0]).focus();
    return;
  }
  const { passages } = passagesChosen(),
    docs = shownPassages(passages),
    strategy = strategyChosen(),
    top = topChosen(),
    id = queryId();
  const body = {
    model: byId("model").value,
    query: byId("query").value,
    documents: passages,
    ...(strategy === null ? {} : { strategy: strategy || " " }),
    ...(top === null ? {} : { top_n: top }),
    ...(id === null ? {} : { query_id: id }),
  };
  if (docs.size < passages.length) {
    show(new Trouble("Two passages have one id", "Give each its own, or none."));
    return;
  }
  history.replaceState(null, "", addressed());
  await perform(body, docs);
}

async function perform(body, docs) {
  const moved = movedList(docs),
    calls = callList(docs),
    stop = (run.stop = new AbortController());
  let plan = null,
    made = 0,
    last = null;
  fill(byId("moved"), moved.node);
  fill(byId("numbers"));
  fill(byId("calls"));
  underWay(true);
  say("Asking the server.");
  byId("state").scrollIntoView({ block: "nearest" });
  const tell = (name, data) => {
    if (name === "started") {
      plan = data.plan;
      const progress = byId("progress");
      [progress.max, progress.value] = [Math.max(1, plan.calls[1]), 0];
      const whom = ` on ${data.models.join(", ")}.`;
      say("Ranking ", plural(docs.size, "passage"), " with ", el("code", {}, data.strategy), whom);
    } else if (name === "judged") {
      if (!made++) fill(byId("calls"), calls.node);
      calls.add(data);
      moved.saw(data.docs);
      byId("progress").value = Math.min(made, byId("progress").max);
    } else last = { name, ...data };
  };
  try {
    await follow("page/rerank", body, stop.signal, tell);
    if (last.name === "failed") throw troubleOf(last);
    moved.finish(last.results);
    say(`Done: ${plural(made, "call")} in ${last.seconds.toFixed(1)} s.`);
  } catch (error) {
    const stopped = error.name === "AbortError";
    moved.giveUp(stopped ? "Stopped: there is no ranking." : "There is no ranking.");
    const after = `after ${plural(made, "call")}.`;
    say(stopped ? `Stopped ${after} The server asks nothing more.` : `It ended without a ranking, ${after}`);
    if (!stopped) show(error instanceof Trouble ? error : new Trouble("This page failed", String(error)));
  } finally {
    run.stop = null;
    underWay(false);
    if (last && plan) fill(byId("numbers"), numbersOf(last, plan));
  }
}

/** Asks what there is to choose from; not before there is a key where one is wanted. */
async function begin() {
  if (document.body.dataset.keyed === "true") {
    byId("key-field").hidden = false;
    if (!sessionStorage.getItem(KEY)) {
      say("This server wants a key.");
      return byId("key").focus();
    }
  }
  if (run.begun) return;
  run.begun = true;
  try {
    form.choices = await get("page/choices");
  } catch (error) {
    return show(error);
  } finally {
    run.begun = false;
  }
  fill(byId("error"));
  say(WELCOME);
  drawChoices();
  await fillIn();
  drawCounted();
  drawPlan();
}

/** What the address says; else a sample, so that there is something to rank. */
async function fillIn() {
  try {
    if ((await restore()) || !form.choices.samples.length || byId("query").value || byId("passages").value) return;
    byId("sample").value = form.choices.samples[0].id;
    await chooseSample(true);
  } catch (error) {
    show(error);
  }
}

const take = (file) => openFile(file).then(() => (drawCounted(), drawPlan())).catch(show);

let typing = 0;
function later(draw) {
  clearTimeout(typing);
  typing = setTimeout(draw, 150);
}

function wire() {
  fill(byId("tools"), themeButton());
  byId("key").value = sessionStorage.getItem(KEY) || "";
  byId("key").addEventListener("input", () => sessionStorage.setItem(KEY, byId("key").value.trim()));
  byId("key").addEventListener("change", begin);
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (form.choices) rank();
    else begin();
  });
  byId("file").addEventListener("change", (event) => event.target.files[0] && take(event.target.files[0]));
  byId("column").addEventListener("change", () => (takeColumn(), drawCounted(), drawPlan()));
  byId("passages").addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  });
  for (const button of document.querySelectorAll("[data-share]"))
    button.addEventListener("click", () => form.choices && handOut(button.dataset.share));
  byId("stop").addEventListener("click", () => run.stop && run.stop.abort());
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("form").requestSubmit();
    if (event.key === "Escape" && run.stop) run.stop.abort();
  });
  byId("sample").addEventListener("change", () =>
    chooseSample(false).then(() => (drawCounted(), drawPlan())).catch(show),
  );
  byId("model").addEventListener("change", () => (drawStrategies(), drawPlan()));
  byId("strategy").addEventListener("change", () => (drawOwn(), drawPlan()));
  byId("separator").addEventListener("change", () => (drawCounted(), drawPlan()));
  const drawBoth = () => (drawCounted(), drawPlan());
  for (const id of ["passages", "own", "top"]) byId(id).addEventListener("input", () => later(drawBoth));
}

wire();
begin();
