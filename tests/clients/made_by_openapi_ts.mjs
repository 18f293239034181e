// install: openapi-typescript openapi-fetch typescript@5
// openapi-typescript: the types it makes compile with a first call, which is answered.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";

const base = process.env.BASE;
const bin = (name) => `node_modules/.bin/${name}`;
const run = (name, options) => {
  try {
    execFileSync(bin(name), options, { stdio: "pipe" });
  } catch (error) {
    console.error(`${name}: ${error.stdout}${error.stderr}`);
    process.exit(1);
  }
};
run("openapi-typescript", [`${base}/openapi.json`, "-o", "made.ts"]);
writeFileSync("call.mts", `import createClient from "openapi-fetch";
import type { paths } from "./made.js";
const client = createClient<paths>({ baseUrl: ${JSON.stringify(base)} });
const body = { model: "default", query: "how long do fleas live", documents: ["Dogs bark.", "Fleas live months."] };
const { data, error } = await client.POST("/v2/rerank", { body: { ...body, return_documents: false } });
if (error) throw new Error(JSON.stringify(error));
console.log("v2_rerank:", data.results.map((result) => result.index));
`);
const options = ["--strict", "--module", "nodenext", "--moduleResolution", "nodenext", "--target", "es2022", "--lib", "es2022,dom", "--skipLibCheck"];
run("tsc", [...options, "call.mts"]);
await import(`${process.cwd()}/call.mjs`);
