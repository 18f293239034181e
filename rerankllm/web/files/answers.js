// What is asked and answered, in words.
const KINDS_ASKED = {
  Score: "score",
  Compare: "compare",
  Select: "select",
  Permute: "order",
  Grade: "grade",
  Write: "write criteria",
  Assess: "assess",
  Embed: "embed",
  Prior: "labels alone",
};

/** An answer in a line; `at` is a document's place in the prompt, from 1, `name` what it is called, `docs` what was shown. */
function answered(answer, at, name, docs) {
  if (answer.groups)
    return (
      answer.groups.map((group) => group.map((doc) => at(doc)).join(" = ")).join(" > ") +
      (answer.omitted.length ? `, omitted ${answer.omitted.map((doc) => at(doc)).join(" ")}` : "")
    );
  if (answer.chosen)
    return answer.chosen.map((doc) => `${name(doc)}, shown at place ${at(doc)}`).join("; ");
  if (answer.p !== undefined) {
    const [first, second] = docs.map(name);
    if (answer.p === 0.5) return `${first} and ${second} tie`;
    const [winner, loser] = answer.p > 0.5 ? [first, second] : [second, first];
    return `${winner} over ${loser}, p = ${short(Math.max(answer.p, 1 - answer.p))}`;
  }
  if (answer.vectors !== undefined) return plural(answer.vectors, "vector");
  return typeof answer.value === "number" ? fixed(answer.value, 4) : JSON.stringify(answer.value).slice(0, 160);
}
