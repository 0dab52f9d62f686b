// WP-2.3-HASH.

import { createHash } from "node:crypto";
import type { DataType } from "./data.js";
import type { Hex } from "./encoding.js";

// What is hashed and signed: the marker, two colons, the encoding.
export function markedBytes<T>(type: DataType<T>, value: T): Buffer {
  return Buffer.concat([Buffer.from(`${type.marker}::`, "ascii"), Buffer.from(type.encode(value), "hex")]);
}

export function hash<T>(type: DataType<T>, value: T): Hex {
  return createHash("sha3-256").update(markedBytes(type, value)).digest("hex");
}
