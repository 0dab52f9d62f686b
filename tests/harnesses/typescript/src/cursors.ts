// WP-A.1-CURSOR.

import { LAST_HEIGHT, type Cursor, type Message } from "./data.js";
import { require } from "./reasons.js";

export const START: Cursor = { height: 0n, index: 0n };
const LAST_INDEX = 2n ** 32n - 1n;

export function cursorOf({ height, index }: Message): Cursor {
  return { height, index };
}

export function isBefore(a: Cursor, b: Cursor): boolean {
  return a.height < b.height || (a.height === b.height && a.index < b.index);
}

export function successor({ height, index }: Cursor): Cursor {
  require(index < LAST_INDEX, "ARITHMETIC");
  return { height, index: index + 1n };
}

// How many heights lie wholly before the cursor: of a block that was begun, everything was delivered or consumed.
export function heightsBefore({ height, index }: Cursor): bigint {
  if (index === 0n) return height;
  require(height < LAST_HEIGHT, "ARITHMETIC");
  return height + 1n;
}
