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

/** An answer in a line; `at` is a document's place in the prompt, from 1, and `name` what it is called. */
function answered(answer, at, name) {
  if (answer.groups)
    return (
      answer.groups.map((group) => group.map((doc) => at(doc)).join(" = ")).join(" > ") +
      (answer.omitted.length ? `, omitted ${answer.omitted.map((doc) => at(doc)).join(" ")}` : "")
    );
  if (answer.chosen)
    return answer.chosen.map((doc) => `${name(doc)}, shown at place ${at(doc)}`).join("; ");
  if (answer.p !== undefined)
    return answer.p === 0.5
      ? "a tie"
      : `the ${answer.p > 0.5 ? "first" : "second"} wins (p of the first ${short(answer.p)})`;
  if (answer.vectors !== undefined) return plural(answer.vectors, "vector");
  return typeof answer.value === "number" ? fixed(answer.value, 4) : JSON.stringify(answer.value).slice(0, 160);
}
