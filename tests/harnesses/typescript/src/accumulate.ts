// Accumulated vectors (spec/vectors/v1/accumulate.md): very many steps, one digest.

import { createHash, type Hash } from "node:crypto";
import { isQuorum, maxFaulty, quorumThreshold, validityThreshold } from "./committee.js";
import { Message, orderedInbox, outbox, twoSetInbox, type Cursor, type OrderedInbox, type Outbox } from "./data.js";
import { littleEndian, type Hex } from "./encoding.js";
import { digest } from "./forms.js";
import { hash } from "./hashing.js";
import { addToSets, removeFromSets } from "./inbox.js";
import * as ordered from "./ordered-inbox.js";
import * as outboxes from "./outbox.js";
import { Rejection } from "./reasons.js";
import { decode, members } from "./types.js";

// The 32 bytes of a step.
class Draw {
  constructor(readonly bytes: Buffer) {}

  at(place: number): number {
    return this.bytes[place]!;
  }

  rest(place: number, modulus: number): bigint {
    return BigInt(this.at(place) % modulus);
  }

  number(from: number, to: number): bigint {
    return littleEndian(this.bytes.toString("hex", from, to));
  }
}

function* draws(subject: string, seed: Hex, steps: bigint): Generator<Draw> {
  const start = Buffer.concat([Buffer.from(`accumulate::${subject}::`, "ascii"), Buffer.from(seed, "hex")]);
  const step = Buffer.alloc(8);
  for (let i = 0n; i < steps; i++) {
    step.writeBigUInt64LE(i);
    yield new Draw(createHash("sha3-256").update(start).update(step).digest());
  }
}

function line(...parts: (bigint | number | boolean | string)[]): string {
  return parts.map((part) => (typeof part === "boolean" ? Number(part) : part)).join(" ") + "\n";
}

type Subject = (steps: Iterable<Draw>, written: Hash) => void;

const thresholds: Subject = (steps, written) => {
  for (const draw of steps) {
    const total = 1n + (draw.number(0, 8) % (2n ** 63n - 1n)) / 2n ** draw.rest(8, 63);
    const [q, qH] = [quorumThreshold(total, "N_MINUS_F"), quorumThreshold(total, "HALF_WAY")];
    const votes = q - 1n + draw.rest(9, 3);
    const isEnough = (["N_MINUS_F", "HALF_WAY"] as const).map((rule) => isQuorum({ weights: [], total }, votes, rule));
    written.update(line(maxFaulty(total), validityThreshold(total), q, qH, ...isEnough));
  }
};

const NO_HASH = "00".repeat(32);

function message(origin: bigint, { height, index }: Cursor, payload: Hex): Message {
  return { origin: [origin], height, index, block_hash: NO_HASH, content: { User: { payload } } };
}

const twoSets: Subject = (steps, written) => {
  let inbox = { plus: members(Message, []), minus: members(Message, []) };
  for (const draw of steps) {
    const w = draw.rest(0, 64);
    const m = message(w / 16n, { height: (w / 4n) % 4n, index: w % 4n }, "");
    inbox = (draw.at(1) % 2 === 0 ? addToSets : removeFromSets)(inbox, m);
    written.update(line(inbox.plus.size, inbox.minus.size));
  }
  written.update(line(digest(twoSetInbox.toForm(inbox))));
};

const orderedInboxes: Subject = (steps, written) => {
  let inbox = ordered.NEW;
  for (const draw of steps) {
    const m = message(0n, place(inbox, draw), draw.at(5) % 8 === 7 ? "01" : "00");
    try {
      inbox = (draw.at(0) % 2 === 0 ? ordered.add : ordered.remove)(inbox, m);
      const { next_add, consumed, added, removed } = inbox;
      const cursors = [next_add.height, next_add.index, consumed.height, consumed.index];
      written.update(line(...cursors, added.length, removed.length));
    } catch (error) {
      written.update(line(reasonOf(error)));
    }
  }
  written.update(line(digest(orderedInbox.toForm(inbox))));
};

function place({ next_add, consumed, added, removed }: OrderedInbox, draw: Draw): Cursor {
  const [queue, { height, index }] = draw.at(1) % 2 === 0 ? [added, consumed] : [removed, next_add];
  if (draw.at(1) % 4 < 2 && queue.length > 0) return queue[0]!;
  if (draw.at(2) % 4 === 0) return { height: height + 1n, index: draw.rest(3, 2) };
  return { height, index: atLeastZero(index + draw.rest(3, 3) - draw.rest(4, 2)) };
}

function reasonOf(error: unknown): string {
  if (error instanceof Rejection) return error.reason;
  throw error;
}

function atLeastZero(value: bigint): bigint {
  return value < 0n ? 0n : value;
}

const outboxPair: Subject = (steps, written) => {
  const pair: [Outbox, Outbox] = [outboxes.NEW, outboxes.NEW];
  let counters: [bigint, bigint][] = [];
  for (const draw of steps) {
    const number = (draw.at(0) % 2) as 0 | 1;
    const before = pair[number];
    const height = atLeastZero(before.next_schedule + draw.rest(1, 4) - draw.rest(2, 8));
    if (draw.at(3) % 4 > 0) {
      pair[number] = outboxes.schedule(before, height);
      const grew = pair[number].next_schedule > before.next_schedule;
      counters = outboxes.countUp(counters, height, grew ? 1n : 0n);
    } else {
      const [confirmed, after] = outboxes.confirm(before, height);
      pair[number] = after;
      counters = confirmed.reduce(outboxes.countDown, counters);
    }
    const { next_schedule, queue } = pair[number];
    const delivered = outboxes.deliveredUpTo(counters, height);
    written.update(line(next_schedule, queue.length, counters.length, delivered));
  }
  for (const each of pair) written.update(line(digest(outbox.toForm(each))));
};

const encoding: Subject = (steps, written) => {
  for (const draw of steps) {
    const bytes = Message.encode(drawnMessage(draw));
    written.update(bytes, "hex");
    try {
      written.update(hash(Message, decode(Message, damaged(bytes, draw))), "hex");
    } catch (error) {
      written.update(line(reasonOf(error)));
    }
  }
};

function drawnMessage(draw: Draw): Message {
  const r = draw.bytes.toString("hex");
  const length = draw.at(21) + (draw.at(22) === 0 && draw.at(23) < 16 ? 16384 : 0);
  const payload = r.repeat(Math.ceil(length / 32)).slice(0, 2 * length);
  return {
    origin: [...draw.bytes.subarray(1, 2 + (draw.at(0) % 3))].map(BigInt),
    height: draw.number(8, 16),
    index: draw.number(16, 20),
    block_hash: r,
    content: draw.at(20) % 2 === 0 ? { Create: { owner: r } } : { User: { payload } },
  };
}

function damaged(bytes: Hex, draw: Draw): Hex {
  const a = 2 * Number(draw.number(25, 27) % BigInt(bytes.length / 2));
  const x = draw.bytes.toString("hex", 27, 28);
  switch (draw.at(24) % 4) {
    case 0:
      return bytes;
    case 1:
      return bytes.slice(0, a);
    case 2:
      return bytes.slice(0, a) + x + bytes.slice(a + 2);
    default:
      return bytes.slice(0, a) + x + bytes.slice(a);
  }
}

export const SUBJECTS: ReadonlyMap<string, Subject> = new Map([
  ["thresholds", thresholds],
  ["two-set-inbox", twoSets],
  ["ordered-inbox", orderedInboxes],
  ["outbox", outboxPair],
  ["encoding", encoding],
]);

export function accumulate(run: Subject, subject: string, seed: Hex, steps: bigint): Hex {
  const written = createHash("sha3-256");
  run(draws(subject, seed, steps), written);
  return written.digest("hex");
}
