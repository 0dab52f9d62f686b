// The harness protocol (spec/vectors/v1/HARNESS.md): a JSON object a line, an answer for each request.

import { createInterface } from "node:readline";
import { fields, type Fields } from "./forms.js";
import { OPERATIONS } from "./operations.js";

const PROTOCOL = 1;
const IMPLEMENTATION = { name: "linera-independent", version: "1.0.0", language: "TypeScript" };

type Answers = Record<string, unknown>;

function answer(request: Record<string, any>): Answers {
  switch (request["cmd"]) {
    case "start":
      return { protocol: PROTOCOL, implementation: IMPLEMENTATION };
    case "capabilities":
      return { operations: Object.keys(OPERATIONS).sort(), details: false };
    case "run":
      return run(request["operation"], fields(request["arguments"]));
    case "stop":
      return { stopped: true };
    default:
      return { errored: `unknown command ${request["cmd"]}` };
  }
}

function run(name: string, given: Fields): Answers {
  const operation = Object.hasOwn(OPERATIONS, name) && OPERATIONS[name];
  if (!operation) return { skipped: `no operation ${name} here` };
  try {
    return operation(given);
  } catch (error) {
    return { errored: String(error) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  process.stdout.write(JSON.stringify({ seq: request.seq, ...answer(request) }) + "\n");
  if (request.cmd === "stop") break;
}
process.stdin.destroy(); // so that the program ends, whether or not the runner closes its end
