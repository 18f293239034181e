// install: cohere-ai ai @ai-sdk/cohere
// Cohere's SDK for JavaScript, and the AI SDK.
import { CohereClient, CohereClientV2 } from "cohere-ai";
import { rerank } from "ai";
import { createCohere } from "@ai-sdk/cohere";

const base = process.env.BASE;
const documents = ["Dogs bark at strangers. \ud83d", "A flea lives for two or three months."];
const query = "how long do fleas live";
const check = (name, found) => {
  const good = JSON.stringify(found) === "[1,0]";
  console.log(`${name}: ${good ? "ok" : JSON.stringify(found)}`);
  if (!good) process.exitCode = 1;
};
const two = new CohereClientV2({ token: "any", environment: base });
check("cohere-ai v2", (await two.rerank({ model: "default", query, documents })).results.map((r) => r.index));
const one = new CohereClient({ token: "any", environment: base });
check("cohere-ai v1", (await one.rerank({ model: "default", query, documents })).results.map((r) => r.index));
const cohere = createCohere({ apiKey: "any", baseURL: `${base}/v2` });
const { ranking } = await rerank({ model: cohere.reranking("default"), query, documents, topN: 2 });
check("ai-sdk", ranking.map((r) => r.originalIndex));
