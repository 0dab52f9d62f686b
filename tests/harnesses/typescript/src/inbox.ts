// The inbox of a chain as two sets of messages (WP-2.6-INBOX-ADD, WP-2.6-INBOX-REMOVE).

import { Message, type TwoSetInbox } from "./data.js";
import { textOf, type Members } from "./types.js";

export function addToSets({ plus, minus }: TwoSetInbox, message: Message): TwoSetInbox {
  return isIn(minus, message) ? { plus, minus: without(minus, message) } : { plus: including(plus, message), minus };
}

export function removeFromSets({ plus, minus }: TwoSetInbox, message: Message): TwoSetInbox {
  return isIn(plus, message) ? { plus: without(plus, message), minus } : { plus, minus: including(minus, message) };
}

function isIn(set: Members<Message>, message: Message): boolean {
  return set.has(textOf(Message, message));
}

function without(set: Members<Message>, message: Message): Members<Message> {
  const left = new Map(set);
  left.delete(textOf(Message, message));
  return left;
}

function including(set: Members<Message>, message: Message): Members<Message> {
  return new Map(set).set(textOf(Message, message), message);
}
