// What is open stands in the address, so that a link shows the same.
function remember() {
  const query = part().queries[browse.place];
  const said = new URLSearchParams();
  const set = (name, value, usual) => value !== null && value !== undefined && value !== usual && said.set(name, value);
  set("part", state.part, 0);
  set("measure", state.measure, measures()[0]);
  set("query", query && query.id, null);
  set("collection", query && query.collection, null);
  for (const name of ["before", "after", "beforeRun", "afterRun"]) set(name, browse[name], 0);
  set("sort", browse.sort, "gain");
  set("calls", browse.calls, "after");
  set("find", finder.text, "");
  set("only", finder.filter, "all");
  history.replaceState(null, "", `#${said}`);
}

/** Opens what the address says; a name that is not here is left out. True where it names a query. */
function recall() {
  const said = new URLSearchParams(location.hash.slice(1));
  if (![...said.values()].some(Boolean)) return false;
  const number = (name, count) => (Number(said.get(name)) < count ? Number(said.get(name)) || 0 : 0);
  state.part = number("part", DATA.parts.length);
  if (measures().includes(said.get("measure"))) state.measure = said.get("measure");
  for (const side of ["before", "after"]) {
    const name = said.get(side);
    if (!part().entrants.some((each) => each.name === name)) continue;
    browse[side] = name;
    browse[`${side}Run`] = number(`${side}Run`, entrant(name).runs.length);
  }
  if (SORTS[said.get("sort")]) browse.sort = said.get("sort");
  if (WHOSE[said.get("calls")]) browse.calls = said.get("calls");
  finder.text = said.get("find") || "";
  if (meets[said.get("only")]) finder.filter = said.get("only");
  const place = part().queries.findIndex(
    (query) => query.id === said.get("query") && (query.collection || null) === said.get("collection"),
  );
  if (place >= 0 && part().queries[place].shown) browse.place = place;
  return browse.place !== null;
}
