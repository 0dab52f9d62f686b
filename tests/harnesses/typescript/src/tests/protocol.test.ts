// The harness as a program, and facts from outside: check values of the specification, a key of RFC 8032.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ChainDescription } from "../data.js";
import { hash } from "../hashing.js";
import { ed25519 } from "../signatures.js";

const HARNESS = fileURLToPath(new URL("../harness.js", import.meta.url));

function talk(...requests: object[]): unknown[] {
  const input = requests.map((request, i) => JSON.stringify({ seq: i + 1, ...request }) + "\n").join("");
  const { stdout, status } = spawnSync(process.execPath, [HARNESS], { input, encoding: "utf8" });
  assert.equal(status, 0);
  return stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
}

function run(operation: string, given: object): object {
  return { cmd: "run", vector: "tests/one", operation, arguments: given };
}

test("a conversation", () => {
  const [start, , child, rejected, foreign, unknown, malformed, stop] = talk(
    { cmd: "start", protocol: 1 },
    { cmd: "capabilities" },
    run("child", { parent_id: ["0"], index: "5" }),
    run("schedule", { outbox: { next_schedule: "0", queue: [] }, height: "18446744073709551615" }),
    run("constructor", {}),
    run("encode", { type: "Nonsense", value: {} }),
    run("child", { parent_id: ["00"], index: "5" }),
    { cmd: "stop" },
  ) as Record<string, unknown>[];
  assert.equal(start!["protocol"], 1);
  assert.deepEqual(child, { seq: 3, accepted: ["0", "5"] });
  assert.equal(rejected!["rejected"], "ARITHMETIC");
  assert.match(String(rejected!["state"]), /^[0-9a-f]{64}$/);
  assert.ok("skipped" in foreign! && "skipped" in unknown!);
  assert.ok("errored" in malformed!);
  assert.deepEqual(stop, { seq: 8, stopped: true });
});

test("the check values of WP-2.3-HASH", () => {
  const hashOf = (index: bigint): string => hash(ChainDescription, { origin: { Root: { index } } });
  assert.equal(hashOf(0n), "e476187f6ddfeb9d588c7b45d3df334d5501d6499b3f9ad5595cae86cce16a65");
  assert.equal(hashOf(9n), "256e1dbc00482ddd619c293cc0df94d366afe7980022bb22d99e33036fd465dd");
  assert.equal(hashOf(999n), "9c8a838e8f7b63194f6c7585455667a8379d2b5db19a3300e9961f0b1e9091ea");
});

test("the first key of RFC 8032, section 7.1", () => {
  const secret = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
  assert.equal(ed25519.publicKey(secret), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
});
