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
    top = topChosen(),
    id = queryId();
  const bodies = strategiesChosen().map((strategy) => ({
    model: byId("model").value,
    query: byId("query").value,
    documents: passages,
    ...(strategy === null ? {} : { strategy: strategy || " " }),
    ...(top === null ? {} : { top_n: top }),
    ...(id === null ? {} : { query_id: id }),
  }));
  if (docs.size < passages.length) {
    show(new Trouble("Two passages have one id", "Give each its own, or none."));
    return;
  }
  history.replaceState(null, "", addressed());
  await perform(bodies, docs);
}

/** Ranks with one strategy after the other, and shows what comes of it. */
async function perform(bodies, docs) {
  const moved = movedList(docs, bodies.length),
    stop = (run.stop = new AbortController()),
    ends = [];
  fill(byId("moved"), moved.node);
  fill(byId("numbers"));
  fill(byId("calls"));
  underWay(true);
  say("Asking the server.");
  byId("state").scrollIntoView({ block: "nearest" });
  try {
    for (const body of bodies) {
      const end = await performOne(body, docs, moved, stop.signal, bodies.length > 1);
      ends.push(end);
      say(ends.map((each) => el("span", { class: "line" }, each.said)));
      if (end.stopped) break;
    }
  } finally {
    run.stop = null;
    underWay(false);
    const told = ends.filter((end) => end.last && end.plan);
    fill(byId("numbers"), told.map((end) => numbersOf(end.last, end.plan, bodies.length > 1 ? end.name : null)));
  }
}

/** One ranking: {name, plan, last event, said: how it ended, stopped}. */
async function performOne(body, docs, moved, signal, two) {
  const end = { name: body.strategy || byId("strategy").value, plan: null, last: null, said: "", stopped: false };
  let made = 0,
    calls = null;
  moved.begin();
  const tell = (name, data) => {
    if (name === "started") {
      [end.plan, end.name] = [data.plan, data.strategy];
      calls = callList(docs, two ? data.strategy : null);
      const progress = byId("progress");
      [progress.max, progress.value] = [Math.max(1, end.plan.calls[1]), 0];
      const whom = ` on ${data.models.join(", ")}.`;
      say("Ranking ", plural(docs.size, "passage"), " with ", el("code", {}, data.strategy), whom);
    } else if (name === "judged") {
      if (!made++) put(byId("calls"), calls.node);
      calls.add(data);
      moved.saw(data.docs);
      byId("progress").value = Math.min(made, byId("progress").max);
    } else end.last = { name, ...data };
  };
  const by = two ? [el("code", {}, end.name), " "] : [];
  try {
    await follow("page/rerank", body, signal, tell);
    if (two) by.splice(0, 2, el("code", {}, end.name), ": ");
    if (end.last.name === "failed") throw troubleOf(end.last);
    moved.finish(end.name, end.last.results);
    end.said = [...by, `${two ? "done" : "Done"}: ${plural(made, "call")} in ${end.last.seconds.toFixed(1)} s.`];
  } catch (error) {
    end.stopped = error.name === "AbortError";
    moved.giveUp(end.stopped ? "Stopped: there is no ranking." : "There is no ranking.");
    const after = `after ${plural(made, "call")}.`;
    const how = end.stopped ? `Stopped ${after} The server asks nothing more.` : `It ended without a ranking, ${after}`;
    end.said = [...by, how];
    if (!end.stopped) show(error instanceof Trouble ? error : new Trouble("This page failed", String(error)));
  }
  return end;
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
  for (const select of Object.keys(STRATEGIES)) byId(select).addEventListener("change", () => (drawOwn(), drawPlan()));
  byId("separator").addEventListener("change", () => (drawCounted(), drawPlan()));
  const drawBoth = () => (drawCounted(), drawPlan());
  for (const id of ["passages", "own", "beside-own", "top"]) byId(id).addEventListener("input", () => later(drawBoth));
}

wire();
begin();
