// The canonical encoding of the elements that data types are made of (WP-2.3-DATA-TYPE), and their strict decoding
// (WP-2.3-STRICT-DECODING). Bytes are lower-case hexadecimal everywhere in this program: such strings compare with
// `===`, sort like the bytes, and are their own JSON form.

import { require } from "./reasons.js";

export type Hex = string;

const LENGTH_LIMIT = 2n ** 32n;

export function integerBytes(value: bigint, width: number): Hex {
  require(value >= 0n && value < 1n << BigInt(8 * width), "OUT_OF_RANGE");
  const buffer = Buffer.from(value.toString(16).padStart(2 * width, "0"), "hex");
  return buffer.reverse().toString("hex");
}

export function littleEndian(bytes: Hex): bigint {
  return BigInt("0x" + Buffer.from(bytes, "hex").reverse().toString("hex"));
}

// Lengths and variant numbers: ULEB128, shortest form, below 2^32.
export function lengthBytes(value: bigint): Hex {
  require(value >= 0n && value < LENGTH_LIMIT, "OUT_OF_RANGE");
  const bytes: number[] = [];
  for (; value >= 0x80n; value >>= 7n) bytes.push(Number(value & 0x7fn) | 0x80);
  bytes.push(Number(value));
  return Buffer.from(bytes).toString("hex");
}

// Reads from left to right; each method rejects at the first fault that it meets.
export class Reader {
  private place = 0;
  private readonly bytes: Buffer;

  constructor(bytes: Hex) {
    this.bytes = Buffer.from(bytes, "hex");
  }

  private get left(): number {
    return this.bytes.length - this.place;
  }

  take(count: number): Hex {
    require(count <= this.left, "UNEXPECTED_END");
    return this.bytes.toString("hex", this.place, (this.place += count));
  }

  byte(): number {
    require(this.left > 0, "UNEXPECTED_END");
    return this.bytes[this.place++]!;
  }

  integer(width: number): bigint {
    return littleEndian(this.take(width));
  }

  // A number below 2^32 has five bytes at most, and the fifth of them is small.
  uleb(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte();
      require(shift < 28n || byte < 0x10, "OUT_OF_RANGE");
      value += BigInt(byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      require(byte > 0 || shift === 0n, "NON_CANONICAL_LENGTH");
      return value;
    }
  }

  // Every item takes a byte at least.
  length(): number {
    const length = Number(this.uleb());
    require(length <= this.left, "UNEXPECTED_END");
    return length;
  }

  end(): void {
    require(this.left === 0, "TRAILING_BYTES");
  }
}
