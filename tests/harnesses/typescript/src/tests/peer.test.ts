// Our encodings against those of `@mysten/bcs`, both ways, for drawn values of every data type.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DATA_TYPES } from "../data.js";
import { decode, type Type } from "../types.js";
import { Numbers } from "./numbers.js";
import { PEERS, type Peer } from "./peer.js";

const VALUES = 100;

test("the peer describes every data type", () => {
  assert.deepEqual(Object.keys(PEERS).sort(), [...DATA_TYPES.keys()].sort());
});

test("every data type is encoded and decoded as the peer does", () => {
  for (const [name, peer] of Object.entries(PEERS)) compare(name, peer, DATA_TYPES.get(name)!);
});

function compare(name: string, peer: Peer, type: Type<any>): void {
  const from = new Numbers(name);
  for (let i = 0; i < VALUES; i++) {
    const value = type.fromForm(peer.draw(from));
    const bytes = peer.bcs.serialize(type.toForm(value)).toHex();
    assert.equal(type.encode(value), bytes, name);
    assert.deepEqual(type.toForm(decode(type, bytes)), type.toForm(value), name);
    assert.deepEqual(type.fromForm(peer.bcs.parse(Buffer.from(bytes, "hex"))), decode(type, bytes), name);
  }
}
