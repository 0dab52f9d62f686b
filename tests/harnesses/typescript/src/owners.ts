// WP-2.9-OWNERS: nobody, the owner of one key, or several owners; and who of them may propose (WP-4.6-PROPOSERS).

import { key, type Owner } from "./data.js";
import type { Hex } from "./encoding.js";
import { require } from "./reasons.js";
import { members, type Members } from "./types.js";

export function several(owner: Owner | null): owner is Exclude<Owner, Hex> {
  return owner !== null && typeof owner !== "string";
}

export function keysOf(owner: Owner | null): Members<Hex> {
  if (several(owner)) return owner.Owners.keys;
  return members(key, owner === null ? [] : [owner]);
}

export function owns(owner: Owner | null, member: Hex): boolean {
  return [...keysOf(owner).values()].includes(member);
}

export function checkOwner(owner: Owner): void {
  require(keysOf(owner).size > 0, "EMPTY_OWNER_SET");
}

// WP-2.9-CHANGE-OWNERS.
export function addOwner(owner: Owner | null, member: Hex): Owner {
  return { Owners: { keys: members(key, [...keysOf(owner).values(), member]) } };
}

export function removeOwner(owner: Owner | null, member: Hex): Owner {
  require(owns(owner, member), "UNKNOWN_OWNER");
  const rest = { Owners: { keys: members(key, [...keysOf(owner).values()].filter((other) => other !== member)) } };
  checkOwner(rest);
  return rest;
}

// A choice in which no owner is restricts nobody; a single owner is never restricted.
export function mayPropose(owner: Owner | null, chosen: Members<Hex> | null, member: Hex): boolean {
  if (chosen === null || !several(owner)) return true;
  const choice = [...chosen.values()];
  return choice.includes(member) || !choice.some((other) => owns(owner, other));
}

// WP-2.1-OWNER-PROPOSES.
export function checkProposer(owner: Owner | null, chosen: Members<Hex> | null, proposer: Hex): void {
  require(owns(owner, proposer), "INVALID_OWNER");
  require(mayPropose(owner, chosen, proposer), "OUT_OF_TURN");
}
