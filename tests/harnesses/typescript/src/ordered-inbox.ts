// The ordered inbox of one origin (appendix A.1).

import { cursorOf, heightsBefore, isBefore, START, successor } from "./cursors.js";
import { Message, type OrderedInbox, type TwoSetInbox } from "./data.js";
import { require } from "./reasons.js";
import { equal, members } from "./types.js";

export const NEW: OrderedInbox = { next_add: START, consumed: START, added: [], removed: [] };

type Queues = Pick<OrderedInbox, "added" | "removed">;

// WP-A.1-ADD: a message arrives.
export function add(inbox: OrderedInbox, message: Message): OrderedInbox {
  const cursor = cursorOf(message);
  require(!isBefore(cursor, inbox.next_add), "INCORRECT_MESSAGE_ORDER");
  return { ...inbox, ...arrive(inbox, message), next_add: successor(cursor) };
}

function arrive({ added, removed }: Queues, message: Message): Queues {
  const owed = removed[0];
  if (owed === undefined) return { added: [...added, message], removed };
  require(!isBefore(cursorOf(owed), cursorOf(message)), "UNEXPECTED_MESSAGE");
  if (isBefore(cursorOf(message), cursorOf(owed))) return { added, removed }; // skipped before it arrived
  require(equal(Message, message, owed), "UNEXPECTED_MESSAGE");
  return { added, removed: removed.slice(1) };
}

// WP-A.1-REMOVE: a block consumes a message, and thereby skips every earlier one.
export function remove(inbox: OrderedInbox, message: Message): OrderedInbox {
  const cursor = cursorOf(message);
  require(!isBefore(cursor, inbox.consumed), "INCORRECT_MESSAGE_ORDER");
  return { ...inbox, ...consume(inbox, message), consumed: successor(cursor) };
}

function consume({ added, removed }: Queues, message: Message): Queues {
  const front = added.findIndex((waiting) => !isBefore(cursorOf(waiting), cursorOf(message)));
  if (front < 0) return { added: [], removed: [...removed, message] };
  require(equal(Message, added[front]!, message), "UNEXPECTED_MESSAGE");
  return { added: added.slice(front + 1), removed };
}

// WP-A.1-CURSOR: a block is delivered with all its messages at once.
export function nextHeightToReceive(inbox: OrderedInbox): bigint {
  return heightsBefore(inbox.next_add);
}

// WP-A.1-REFINEMENT, for one origin.
export function twoSets({ added, removed }: OrderedInbox): TwoSetInbox {
  return { plus: members(Message, added), minus: members(Message, removed) };
}
