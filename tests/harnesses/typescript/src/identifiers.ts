// WP-2.4-IDENTIFIER and WP-2.4-CHILD.

import type { ChainId } from "./data.js";
import { require } from "./reasons.js";

const K_MAX = 16;
const NUMBER_LIMIT = 2n ** 64n;

function isNumber(value: bigint): boolean {
  return value >= 0n && value < NUMBER_LIMIT;
}

export function isIdentifier(id: ChainId): boolean {
  return id.length >= 1 && id.length <= K_MAX && id.every(isNumber);
}

export function child(parent: ChainId, index: bigint): ChainId {
  require(parent.length < K_MAX && isNumber(index), "INVALID_NEW_CHAIN_ID");
  return [...parent, index];
}

// An identifier of one number has no parent (⊥).
export function parent(id: ChainId): ChainId | null {
  return id.length > 1 ? id.slice(0, -1) : null;
}

export function isAncestor(ancestor: ChainId, id: ChainId): boolean {
  return ancestor.length < id.length && ancestor.every((number, place) => number === id[place]);
}
