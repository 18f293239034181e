// A file that was opened: a table of texts, or whatever else the passages can be read from.

/** Rows of cells: quoted as RFC 4180 has it, line ends of any kind. */
function readCells(text, separator) {
  const rows = [[""]];
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const sign = text[i],
      row = rows.at(-1);
    if (quoted) {
      if (sign !== '"') row[row.length - 1] += sign;
      else if (text[i + 1] === '"') row[row.length - 1] += text[i++];
      else quoted = false;
    } else if (sign === '"' && row.at(-1) === "") quoted = true;
    else if (sign === separator) row.push("");
    else if (sign === "\n") rows.push([""]);
    else if (sign !== "\r") row[row.length - 1] += sign;
  }
  return rows.filter((row) => row.length > 1 || row[0] !== "");
}

/** {columns, rows} of CSV or TSV with a header, or of JSON objects; null for anything else. */
function readTable(name, text) {
  if (/\.(json|jsonl|ndjson)$/i.test(name)) return readObjects(text);
  if (!/\.(csv|tsv)$/i.test(name)) return null;
  const first = text.split("\n", 1)[0];
  const count = (sign) => first.split(sign).length;
  const separator = /\.tsv$/i.test(name) ? "\t" : [",", ";", "\t"].reduce((a, b) => (count(b) > count(a) ? b : a));
  const [columns, ...rows] = readCells(text.replace(/^\uFEFF/, ""), separator);
  return columns && rows.length ? { columns, rows } : null;
}

/** The same of a list of objects, or of one a line: a column for each name that has a text somewhere. */
function readObjects(text) {
  const found = parseJson(text.trim());
  if (!Array.isArray(found) || !found.length || !found.every((each) => each && typeof each === "object" && !Array.isArray(each)))
    return null;
  const simple = (value) => ["string", "number"].includes(typeof value);
  const columns = [...new Set(found.flatMap((each) => Object.keys(each).filter((key) => simple(each[key]))))];
  if (!columns.length) return null;
  return { columns, rows: found.map((each) => columns.map((key) => (simple(each[key]) ? String(each[key]) : ""))) };
}

/** The column of texts: by its name, else the one with the longest cells. */
function columnOfTexts({ columns, rows }) {
  const lower = columns.map((name) => name.trim().toLowerCase());
  const named = TEXTS.map((name) => lower.indexOf(name)).find((place) => place >= 0);
  if (named !== undefined) return named;
  const long = columns.map((_, i) => rows.reduce((sum, row) => sum + (row[i] || "").length, 0));
  return long.indexOf(Math.max(...long));
}

/** The rows as JSON lines, which the passages are read from: ids and titles go along where a column is called so. */
function linesOf({ columns, rows }, texts) {
  const lower = columns.map((name) => name.trim().toLowerCase());
  const ids = IDS.map((name) => lower.indexOf(name)).find((place) => place >= 0);
  const titles = lower.indexOf("title");
  return rows
    .filter((row) => (row[texts] || "").trim())
    .map((row) =>
      JSON.stringify({
        ...(ids === undefined || ids === texts ? {} : { id: row[ids] }),
        ...(titles < 0 || titles === texts ? {} : { title: row[titles] || "" }),
        text: row[texts],
      }),
    )
    .join("\n");
}

const opened = { table: null };

async function openFile(file) {
  const text = await file.text();
  opened.table = readTable(file.name, text);
  byId("column-field").hidden = !opened.table;
  byId("sample").value = "";
  if (!opened.table) {
    byId("separator").value = "guess";
    byId("passages").value = text;
    return;
  }
  fill(
    byId("column"),
    opened.table.columns.map((name, i) => el("option", { value: String(i) }, name || `column ${i + 1}`)),
  );
  byId("column").value = String(columnOfTexts(opened.table));
  takeColumn();
}
function takeColumn() {
  byId("separator").value = "json";
  byId("passages").value = linesOf(opened.table, Number(byId("column").value));
}
