// What the form says, for elsewhere: a link to this page, and the same for curl, Python and the command line.
const LONG_LINK = 30000;
const KEPT = ["query", "passages", "strategy", "own", "beside", "beside-own", "top", "separator"];

/** The form as it stands in the address, behind `#`, which is never sent to a server. */
function addressed() {
  const said = new URLSearchParams({ model: byId("model").value });
  const { sample } = form;
  const untouched = sample && byId("passages").value === sample.text && byId("query").value === sample.query;
  if (untouched) said.set("sample", sample.id);
  for (const id of KEPT)
    if (byId(id).value && !(untouched && (id === "query" || id === "passages"))) said.set(id, byId(id).value);
  return `#${said}`;
}

/** Fills the form from the address; false where it says nothing. A model or strategy that is not here is left out. */
async function restore() {
  const said = new URLSearchParams(location.hash.slice(1));
  if (!said.has("query") && !said.has("passages") && !said.has("sample")) return false;
  const choose = (id) => {
    const has = [...byId(id).options].some((option) => option.value === said.get(id));
    if (said.has(id) && has) byId(id).value = said.get(id);
  };
  choose("model");
  drawStrategies();
  for (const id of ["strategy", "beside", "separator", "sample"]) choose(id);
  if (byId("sample").value) await chooseSample(false);
  for (const id of ["query", "passages", "own", "beside-own", "top"]) if (said.has(id)) byId(id).value = said.get(id);
  drawOwn();
  return true;
}

const inShell = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const aliasChosen = () => form.choices.aliases.find((each) => each.name === byId("model").value);

function asCurl(passages) {
  const alias = aliasChosen(),
    top = topChosen(),
    other = strategyChosen();
  const body = { model: alias.name, query: byId("query").value, documents: passages.map(plainText) };
  const lines = [
    ...(other === null ? [] : [`# This route ranks with ${alias.name}'s own strategy: ${alias.strategy}`]),
    `curl ${inShell(new URL("v2/rerank", location.href.split("#")[0]).href)} -H 'Content-Type: application/json' \\`,
    ...(document.body.dataset.keyed === "true" ? ['  -H "Authorization: Bearer $RERANKLLM_API_KEY" \\'] : []),
    "  --data-binary @- <<'EOF'",
    JSON.stringify(top ? { ...body, top_n: top } : body),
    "EOF",
  ];
  return lines.join("\n");
}
function asPython(passages) {
  const { models, strategy } = aliasChosen(),
    top = topChosen(),
    stages = strategiesChosen().map((each) => JSON.stringify(each || strategy));
  const [who, indent] = stages.length > 1 ? ["strategy", "    "] : [stages[0], ""];
  return [
    "from rerankllm import Reranker",
    "",
    "documents = [",
    ...passages.map((each) => `    ${JSON.stringify(each)},`),
    "]",
    ...(stages.length > 1 ? [`for strategy in (${stages.join(", ")}):`] : []),
    `${indent}with Reranker(${who}, ${JSON.stringify(models[0])}) as reranker:`,
    `${indent}    print(reranker.rerank(${JSON.stringify(byId("query").value)}, documents${top ? `, top_k=${top}` : ""}))`,
  ].join("\n");
}
function asCommand(passages) {
  const { models, strategy } = aliasChosen(),
    top = topChosen();
  const one = (stage) => [
    `rerankllm rank ${inShell(byId("query").value)} - --strategy ${inShell(stage || strategy)} --model ${inShell(models[0])}${top ? ` --top-k ${top}` : ""} <<'EOF'`,
    ...passages.map((each) => JSON.stringify(typeof each === "string" ? { text: each } : each)),
    "EOF",
  ];
  return strategiesChosen().flatMap(one).join("\n");
}
const plainText = (passage) =>
  typeof passage === "string" ? passage : passage.title ? `${passage.title} ${passage.text}` : passage.text;
const SHARED = { link: null, curl: asCurl, python: asPython, command: asCommand };

/** Shows it, and copies it where the browser lets a page do that. */
async function handOut(kind) {
  const gap = missing();
  if (gap) {
    fill(byId("shared"), el("p", { class: "problem" }, `${gap[1]}. ${gap[2]}`));
    return;
  }
  const text =
    kind === "link" ? location.href.split("#")[0] + addressed() : SHARED[kind](passagesChosen().passages);
  const note = kind === "link" && text.length > LONG_LINK ? ` It has ${inFull(text.length)} signs: some programs cut it.` : "";
  if (kind === "link") history.replaceState(null, "", addressed());
  const copied = await copy(text);
  fill(
    byId("shared"),
    el("p", { class: "soft" }, (copied ? "Copied." : "Copy it from here.") + note),
    el("pre", { class: "scroll", tabindex: "0", "aria-label": "What was copied" }, text),
  );
}
