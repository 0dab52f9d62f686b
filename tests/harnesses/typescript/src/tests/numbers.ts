// A seeded source of numbers: the same seed, the same values, everywhere.

import { createHash } from "node:crypto";

export class Numbers {
  private drawn = 0;

  constructor(private readonly seed: string) {}

  bytes(count: number): string {
    let bytes = "";
    while (bytes.length < 2 * count)
      bytes += createHash("sha256").update(`${this.seed}/${this.drawn++}`).digest("hex");
    return bytes.slice(0, 2 * count);
  }

  below(limit: number): number {
    return Number(BigInt("0x" + this.bytes(6)) % BigInt(limit));
  }

  // Half of the numbers are at an end of their range, where mistakes are.
  unsigned(width: number): bigint {
    const limit = 1n << BigInt(8 * width);
    const ends = [0n, 1n, limit - 1n, limit / 2n];
    return this.below(2) === 0 ? ends[this.below(ends.length)]! : BigInt("0x" + this.bytes(width));
  }
}
