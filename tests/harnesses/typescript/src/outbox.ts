// The outbox of a chain for one recipient, and the counters of the chain (appendix A.2).

import { LAST_HEIGHT, type Counters, type Outbox } from "./data.js";
import { require } from "./reasons.js";

export const NEW: Outbox = { next_schedule: 0n, queue: [] };

// WP-A.2-SCHEDULE.
export function schedule(outbox: Outbox, height: bigint): Outbox {
  if (height < outbox.next_schedule) return outbox;
  require(height < LAST_HEIGHT, "ARITHMETIC");
  return { next_schedule: height + 1n, queue: [...outbox.queue, height] };
}

// WP-A.2-CONFIRM: the heights to count down, and the outbox without them.
export function confirm({ next_schedule, queue }: Outbox, height: bigint): [bigint[], Outbox] {
  const isConfirmed = (queued: bigint): boolean => queued <= height;
  return [queue.filter(isConfirmed), { next_schedule, queue: queue.filter((queued) => !isConfirmed(queued)) }];
}

// WP-A.2-COUNTERS: a counter of 0 is not stored.
function count(counters: Counters, height: bigint, change: bigint): Counters {
  const others = counters.filter(([counted]) => counted !== height);
  const [, before] = counters.find(([counted]) => counted === height) ?? [height, 0n];
  return before + change === 0n ? others : [...others, [height, before + change]];
}

export function countUp(counters: Counters, height: bigint, recipients: bigint): Counters {
  return count(counters, height, recipients);
}

export function countDown(counters: Counters, height: bigint): Counters {
  return count(counters, height, -1n);
}

export function deliveredUpTo(counters: Counters, height: bigint): boolean {
  return counters.every(([counted]) => counted > height);
}
