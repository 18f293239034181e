// The data, and what is chosen.
const DATA = JSON.parse(document.getElementById("data").textContent);
const state = { part: 0, measure: null, axis: null };
const part = () => DATA.parts[state.part];
const measures = () => part().document.measures;
const systems = () => part().document.systems;
const system = (name) => systems().find((each) => each.name === name);
const entrant = (name) => part().entrants.find((each) => each.name === name);
const meanOf = (name) => system(name).means[state.measure];
const difference = (name) =>
  part().document.differences.find((each) => each.system === name && each.measure === state.measure);
const pairOf = (one, other) => {
  const found = part().pairs[state.measure].find(
    (each) => [each.one, each.other].includes(one) && [each.one, each.other].includes(other),
  );
  if (!found || found.one === one) return found;
  const [wins, ties, losses] = found.record;
  return { ...found, one, other, mean: -found.mean, low: -found.high, high: -found.low, record: [losses, ties, wins] };
};
/** Names of systems with rankings, the best first. */
const ranked = () =>
  part()
    .entrants.map((each) => each.name)
    .sort((a, b) => meanOf(b).mean - meanOf(a).mean);
/** The best that is no reference, or the best. */
const leader = () => ranked().find((name) => !system(name).reference) || ranked()[0];
/** A letter for each system with a name, in the order of `names`: a to z, then in twos. */
const lettersOf = (names) =>
  new Map(
    names.map((name, i) => [
      name,
      (i < 26 ? "" : String.fromCharCode(96 + Math.floor(i / 26))) + String.fromCharCode(97 + (i % 26)),
    ]),
  );
const title = (query) => (query.text === null ? `query ${query.id}` : query.text);

const unpacked = new Map();
/** What the page holds of a query, unpacked once. */
function unpack(place) {
  const name = `${state.part}-${place}`;
  if (!unpacked.has(name)) unpacked.set(name, whole(name));
  return unpacked.get(name);
}
/** The same without keeping it. */
const look = (place) => unpacked.get(`${state.part}-${place}`) || whole(`${state.part}-${place}`);
/** Texts and rankings, with the calls where the page has them. */
async function whole(name) {
  const calls = document.getElementById(`calls-${name}`);
  const [data, asked] = await Promise.all([
    inflate(document.getElementById(`query-${name}`).textContent),
    calls ? inflate(calls.textContent) : {},
  ]);
  for (const [system, runs] of Object.entries(data.systems))
    for (const [i, run] of runs.entries()) run.calls = asked[system] ? asked[system][i] : [];
  return data;
}
async function inflate(text) {
  const signs = atob(text),
    bytes = new Uint8Array(signs.length);
  for (let i = 0; i < signs.length; i++) bytes[i] = signs.charCodeAt(i); // far quicker than Uint8Array.from
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}
