// The form: what is to be ranked, by whom, and what that will take.
const byId = (id) => document.getElementById(id);
const OWN = "own",
  WRITTEN = "written";
/** The two selects of strategies, each with the field for one that is written out. */
const STRATEGIES = { strategy: "own", beside: "beside-own" };
const form = { choices: null, sample: null, planning: null };

const strategyChosen = (select = "strategy") => {
  const value = byId(select).value;
  return value === OWN || value === "" ? null : value === WRITTEN ? byId(STRATEGIES[select]).value.trim() : value;
};
/** The strategies to rank with, null for the model's own: one, or two to be seen side by side. */
const strategiesChosen = () =>
  Object.keys(STRATEGIES)
    .filter((select) => select === "strategy" || byId(select).value !== "")
    .map(strategyChosen);
function topChosen() {
  const text = byId("top").value.trim();
  if (!text) return null;
  return /^[1-9]\d{0,6}$/.test(text) ? Number(text) : NaN;
}
/** The passages as they are to be sent: a sample that nobody changed goes with its ids. */
function passagesChosen() {
  const text = byId("passages").value;
  if (form.sample && text === form.sample.text) return { passages: form.sample.documents, how: "of the sample" };
  return readPassages(text, byId("separator").value);
}
const queryId = () => (form.sample && byId("query").value === form.sample.query ? form.sample.id : null);

function drawChoices() {
  const { aliases, samples } = form.choices,
    kept = byId("model").value;
  fill(
    byId("model"),
    aliases.map((alias) => el("option", { value: alias.name }, `${alias.name}: ${alias.models.join(", ")}`)),
  );
  if (aliases.some((alias) => alias.name === kept)) byId("model").value = kept;
  fill(
    byId("sample"),
    el("option", { value: "" }, "your own texts"),
    samples.map((each) => el("option", { value: each.id }, `sample: ${each.query}`)),
  );
  drawStrategies();
}
function drawStrategies() {
  const alias = form.choices.aliases.find((each) => each.name === byId("model").value);
  const free = form.choices.limits.calls > 0;
  for (const select of Object.keys(STRATEGIES)) {
    const kept = byId(select).value;
    fill(
      byId(select),
      select === "beside" ? el("option", { value: "" }, "nothing") : null,
      el("option", { value: OWN }, `${alias.strategy} (${alias.name}'s own)`),
      alias.offers.map((spec) => el("option", { value: spec }, spec)),
      free ? el("option", { value: WRITTEN }, "written out \u2026") : null,
    );
    if (select === "beside" && [...byId(select).options].some((option) => option.value === kept)) byId(select).value = kept;
  }
  byId("beside-field").hidden = !free;
  drawOwn();
}
function drawOwn() {
  for (const [select, field] of Object.entries(STRATEGIES)) {
    const wanted = byId(select).value === WRITTEN;
    byId(`${field}-field`).hidden = !wanted;
    if (wanted && !byId(field).value) byId(field).value = "sliding(window=4, stride=2)";
  }
}

function drawCounted() {
  const { passages, how, problem } = passagesChosen(),
    most = form.choices && form.choices.limits.documents;
  const many = passages && most && passages.length > most;
  const beyond = many ? `: more than the ${inFull(most)} this server takes` : "";
  byId("passages").setAttribute("aria-invalid", String(Boolean(problem || many)));
  byId("counted").classList.toggle("problem", Boolean(problem || many));
  fill(
    byId("counted"),
    problem || (passages.length ? `${plural(passages.length, "passage")}, ${how}${beyond}.` : ""),
  );
}

/** Asks what it will take, as soon as that can be known; the last question asked is the one answered. */
async function drawPlan() {
  if (form.planning) form.planning.abort();
  const asked = (form.planning = new AbortController());
  const { passages } = passagesChosen(),
    top = topChosen();
  byId("top").setAttribute("aria-invalid", String(Number.isNaN(top)));
  for (const field of Object.values(STRATEGIES)) byId(field).setAttribute("aria-invalid", "false");
  const tell = (kind, text) => fill(byId("plan"), el("p", { class: kind }, text));
  if (Number.isNaN(top)) return tell("problem", "First places: a whole number from 1, or nothing.");
  if (!form.choices || !passages || !passages.length)
    return tell("soft", "What it will take stands here as soon as there are passages.");
  const plans = [];
  for (const [i, strategy] of strategiesChosen().entries()) {
    const query = new URLSearchParams({ n: passages.length, model: byId("model").value });
    if (strategy !== null) query.set("strategy", strategy || " ");
    if (top !== null) query.set("top_n", top);
    try {
      plans.push(await get(`page/plan?${query}`, asked.signal));
    } catch (error) {
      if (error.name === "AbortError") return;
      const [select, field] = Object.entries(STRATEGIES)[i];
      if (byId(select).value === WRITTEN) byId(field).setAttribute("aria-invalid", "true");
      return tell("problem", error.advice || error.message);
    }
  }
  fill(
    byId("plan"),
    plans.map(({ strategy, plan }) => [
      el("p", {}, el("code", {}, strategy)),
      el("p", { class: "soft" }, "will take"),
      planned(plan),
    ]),
  );
}

/** Puts a sample into the form; `gently`: not over what was written meanwhile. */
async function chooseSample(gently) {
  const id = byId("sample").value;
  if (!id) return;
  const all = await get(`page/sample?${new URLSearchParams({ query_id: id })}`);
  const documents = all.slice(0, form.choices.limits.documents || all.length);
  if (byId("sample").value !== id) return;
  if (gently && (byId("query").value || byId("passages").value)) {
    byId("sample").value = "";
    return;
  }
  const { query } = form.choices.samples.find((each) => each.id === id);
  const text = documents.map((each) => each.text).join("\n");
  byId("query").value = query;
  byId("passages").value = text;
  form.sample = { id, query, documents, text: byId("passages").value };
}
