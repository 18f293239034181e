// What is asked of the server, and what its refusals mean in plain words.
const KEY = "rerankllm-key";

/** What went wrong: a title, what to do about it, and whether a key is wanted. */
class Trouble extends Error {
  constructor(title, advice, fields) {
    super(title);
    Object.assign(this, { advice, ...fields });
  }
}
const LOST = "The connection to the server was lost";

const keyed = () => {
  const key = sessionStorage.getItem(KEY);
  return key ? { Authorization: `Bearer ${key}` } : {};
};

/** A response, or Trouble. */
async function reach(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: { ...keyed(), ...options.headers } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (error.name === "TypeError" && /headers|ISO-8859-1|ByteString/i.test(error.message))
      throw new Trouble("This key cannot be sent", "Keys are plain letters, digits and signs.", { key: true });
    throw new Trouble("The server cannot be reached", "Is it still running? Then ask again.");
  }
  if (response.ok) return response;
  let said = {};
  try {
    said = (await response.json()).error || {};
  } catch {
    // a proxy's page, say
  }
  throw trouble(response.status, said, response.headers.get("Retry-After"));
}
const get = async (path, signal) => (await reach(path, { signal })).json();

/** A status and what the server said with it, in plain words. */
function trouble(status, said, wait) {
  const words = (said.message || "").replace(/^(the documents could not be ranked|this may not cost any more): /, "");
  const message = words ? `${words[0].toUpperCase()}${words.slice(1)}.` : "";
  const where = { param: said.param };
  switch (status) {
    case 400:
    case 404:
    case 422:
      return new Trouble("The server does not take this", message, where);
    case 401:
      return new Trouble(
        sessionStorage.getItem(KEY) ? "This is none of the server's keys" : "This server wants a key",
        "Whoever runs it knows one. It is kept in this tab only.",
        { key: true },
      );
    case 402:
      return new Trouble("This may not cost any more", message);
    case 413:
      return new Trouble("This is more text than the server takes", message);
    case 429:
      return new Trouble("The server is busy", `${message} Try again in ${plural(Number(wait) || 1, "second")}.`);
    case 502:
      return new Trouble("The passages could not be ranked", message);
    case 503:
      return new Trouble("The server is shutting down", "Ask again when it is back.");
    case 504:
      return new Trouble("It took longer than the server allows", message);
  }
  return new Trouble(`The server answered ${status}`, message);
}
/** The last event of a ranking that did not come about: the same words as for a status. */
const FAULTS = { failed: 502, unaffordable: 402, closing: 503, late: 504, invalid: 400, unsupported: 400, bug: 500 };
const troubleOf = (last) =>
  last.fault === "bug"
    ? new Trouble("This is a bug of the server", "Its log says more.")
    : trouble(FAULTS[last.fault] || 500, { message: last.message });

/** Posts, and calls tell(name, data) with every event. Ends after the last one; Trouble where it never comes. */
async function follow(path, body, signal, tell) {
  const response = await reach(path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json" },
    signal,
  });
  const reader = response.body.getReader(),
    decoder = new TextDecoder();
  let text = "",
    ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const events = (text + decoder.decode(value, { stream: true })).split("\n\n");
      text = events.pop();
      for (const event of events) {
        const [name, data] = event.split("\n").map((line) => line.slice(line.indexOf(": ") + 2));
        ended = name === "finished" || name === "failed";
        tell(name, JSON.parse(data));
      }
    }
  } catch (error) {
    if (error.name === "AbortError" || ended) throw error;
    throw new Trouble(LOST, "There is no ranking. What came before is below. Ask again.");
  }
  if (!ended) throw new Trouble(LOST, "There is no ranking. What came before is below. Ask again.");
}
