// Passages out of what was pasted.

/**
 * {passages: [text or {id, title, text}], how} or {problem}. `separator`: guess, lines, blank or json. Guessed is JSON
 * where it begins like a list or an object, else blank lines where there is one between two texts, else line ends.
 */
function readPassages(text, separator) {
  const whole = text.trim();
  if (!whole) return { passages: [], how: "" };
  if (separator === "json" || (separator === "guess" && /^\[\s*["{\]]|^\{\s*"/.test(whole))) return readJson(whole);
  const blank = separator === "blank" || (separator === "guess" && /\n[ \t\r]*\n/.test(whole));
  const parts = whole.split(blank ? /\n[ \t\r]*\n/ : /\n/);
  const passages = parts.map((part) => part.trim()).filter(Boolean);
  return { passages, how: blank ? "separated by blank lines" : "one a line" };
}

// What ids and texts are called, as rerankllm/formats/columns.py has them.
const IDS = ["_id", "doc_id", "id", "docid", "docno", "pid", "passage_id", "document_id"];
const TEXTS = ["text", "contents", "segment", "passage", "body", "content", "page_content", "chunk", "document"];

/** A list: what stands in the brackets, one value a line, or under `documents`; an Error where it is not JSON. */
function parseJson(text) {
  let found;
  try {
    found = JSON.parse(text);
  } catch (error) {
    try {
      found = text.split("\n").map((line) => (line.trim() ? JSON.parse(line) : null)).filter((each) => each !== null);
    } catch {
      return error;
    }
  }
  if (Array.isArray(found)) return found;
  return found && Array.isArray(found.documents) ? found.documents : [found];
}

function readJson(text) {
  const found = parseJson(text);
  if (found instanceof Error) return { problem: `This is not JSON: ${found.message}` };
  const passages = [];
  for (const [i, each] of found.entries()) {
    const passage = typeof each === "string" ? each : each && typeof textOf(each) === "string" ? named(each) : null;
    if (passage === null) {
      const has = each && typeof each === "object" ? `; yours has ${Object.keys(each).join(", ") || "nothing"}` : "";
      return { problem: `Item ${i + 1} of the JSON should be a text, or an object with a text: {"text": "…"}${has}` };
    }
    passages.push(passage);
  }
  return { passages, how: "JSON" };
}

function named(item) {
  const id = IDS.map((name) => item[name]).find((each) => each !== undefined && each !== null);
  return {
    ...(id === undefined || id === null ? {} : { id: String(id) }),
    ...(typeof item.title === "string" ? { title: item.title } : {}),
    text: textOf(item),
  };
}

function textOf(item) {
  return item[TEXTS.find((name) => name in item)];
}

/** Passages by id as the page shows them: called by their place before, with an id of their own where they have one. */
function shownPassages(passages) {
  return new Map(
    passages.map((passage, i) => {
      const { id = String(i), title = "", text } = typeof passage === "string" ? { text: passage } : passage;
      const own = typeof passage !== "string" && passage.id !== undefined ? id : null;
      return [id, { name: `#${i + 1}`, own, text: title ? `${title} ${text}` : text }];
    }),
  );
}
