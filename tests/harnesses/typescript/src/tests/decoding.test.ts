// WP-2.3-STRICT-DECODING: what no encoder produces is rejected.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Block, ChainState, DATA_TYPES, OutgoingMessage, VotePayload } from "../data.js";
import { Rejection, type Reason } from "../reasons.js";
import { decode, type Type } from "../types.js";
import { Numbers } from "./numbers.js";
import { PEERS } from "./peer.js";

const ID = "010000000000000000"; // the identifier [0]
const HEIGHT = "0000000000000000";
const EMPTY_BLOCK = ID + HEIGHT + "00" + "00";

function reasonOf(type: Type<any>, bytes: string): Reason | null {
  try {
    decode(type, bytes);
    return null;
  } catch (error) {
    if (error instanceof Rejection) return error.reason;
    throw error;
  }
}

const CASES: [string, Type<any>, string, Reason | null][] = [
  ["a block", Block, EMPTY_BLOCK, null],
  ["nothing", Block, "", "UNEXPECTED_END"],
  ["a byte too many", Block, EMPTY_BLOCK + "00", "TRAILING_BYTES"],
  ["a length beyond the bytes left", Block, "13" + EMPTY_BLOCK.slice(2), "UNEXPECTED_END"],
  ["a padded length", Block, "8100" + EMPTY_BLOCK.slice(2), "NON_CANONICAL_LENGTH"],
  ["a padded length of zero", Block, "8000" + HEIGHT + "0000", "NON_CANONICAL_LENGTH"],
  ["the largest length", Block, "ffffffff0f" + EMPTY_BLOCK, "UNEXPECTED_END"],
  ["a length of 2^32", Block, "8080808010" + EMPTY_BLOCK, "OUT_OF_RANGE"],
  ["a length of six bytes", Block, "808080808000" + EMPTY_BLOCK, "OUT_OF_RANGE"],
  ["an option that is neither", Block, ID + HEIGHT + "0200", "INVALID_TAG"],
  ["a boolean that is neither", ChainState, "02", "INVALID_TAG"],
  ["an unknown variant", OutgoingMessage, ID + "02", "INVALID_TAG"],
  ["an unknown kind", VotePayload, "02", "INVALID_TAG"],
  ["a padded variant", OutgoingMessage, ID + "810000", "NON_CANONICAL_LENGTH"],
  ["a variant of 2^32", OutgoingMessage, ID + "8080808010", "OUT_OF_RANGE"],
  ["keys of a map in order", ChainState, state(ID, "02" + HEIGHT + HEIGHT), null],
  ["keys of a map out of order", ChainState, state("02" + HEIGHT + HEIGHT, ID), "UNSORTED_MAP"],
  ["a key of a map twice", ChainState, state(ID, ID), "UNSORTED_MAP"],
];

function state(...keys: string[]): string {
  const cursor = "000000000000000001000000";
  return "00" + "00" + HEIGHT + "00" + `0${keys.length}` + keys.map((key) => key + cursor).join("");
}

for (const [name, type, bytes, reason] of CASES)
  test(`${name}: ${reason ?? "accepted"}`, () => assert.equal(reasonOf(type, bytes), reason));

test("an encoding cut short or made longer", () => {
  for (const [name, type, draw] of drawn("cut")) {
    const bytes = draw();
    for (let end = 0; end < bytes.length; end += 2)
      assert.equal(reasonOf(type, bytes.slice(0, end)), "UNEXPECTED_END", name);
    assert.equal(reasonOf(type, bytes + "00"), "TRAILING_BYTES", name);
  }
});

test("what is accepted after a change of one byte is canonical", () => {
  for (const [name, type, draw, from] of drawn("changed"))
    for (let i = 0; i < 100; i++) {
      const bytes = changed(draw(), from);
      if (reasonOf(type, bytes) === null) assert.equal(type.encode(decode(type, bytes)), bytes, name);
    }
});

function* drawn(seed: string): Generator<[string, Type<any>, () => string, Numbers]> {
  for (const [name, peer] of Object.entries(PEERS)) {
    const type = DATA_TYPES.get(name)!;
    const from = new Numbers(`${seed} ${name}`);
    yield [name, type, () => type.encode(type.fromForm(peer.draw(from))), from];
  }
}

function changed(bytes: string, from: Numbers): string {
  const place = 2 * from.below(Math.max(bytes.length / 2, 1));
  return bytes.slice(0, place) + from.bytes(1) + bytes.slice(place + 2);
}
