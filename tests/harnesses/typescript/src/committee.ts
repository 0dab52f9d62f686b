// WP-2.2-VOTING-RIGHTS, and the thresholds that follow from the voting rights alone.

import type { Committee, QuorumRule } from "./data.js";
import type { Hex } from "./encoding.js";
import { require } from "./reasons.js";

const KEY_LENGTH = 2 * 32;
const WEIGHT_LIMIT = 2n ** 64n;
const TOTAL_LIMIT = 2n ** 63n;

export function makeCommittee(weights: [Hex, bigint][]): Committee {
  require(new Set(weights.map(([validator]) => validator)).size === weights.length, "DUPLICATE_VALIDATOR");
  for (const [validator, weight] of weights)
    require(validator.length === KEY_LENGTH && weight >= 0n && weight < WEIGHT_LIMIT, "OUT_OF_RANGE");
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0n);
  require(total > 0n, "EMPTY_COMMITTEE");
  require(total < TOTAL_LIMIT, "COMMITTEE_OVERFLOW");
  return { weights, total };
}

// A key outside the committee weighs nothing.
export function weight(committee: Committee, validator: Hex): bigint {
  return committee.weights.find(([member]) => member === validator)?.[1] ?? 0n;
}

// Of a set of keys: whoever is listed twice weighs once.
export function combinedWeight(committee: Committee, validators: readonly Hex[]): bigint {
  return [...new Set(validators)].reduce((sum, validator) => sum + weight(committee, validator), 0n);
}

// WP-2.2-VALIDITY.
export function validityThreshold(total: bigint): bigint {
  return ceiling(total, 3n);
}

// WP-2.2-FAULT-BOUND.
export function maxFaulty(total: bigint): bigint {
  return validityThreshold(total) - 1n;
}

// WP-2.2-QUORUM.
export function quorumThreshold(total: bigint, rule: QuorumRule): bigint {
  return rule === "N_MINUS_F" ? total - maxFaulty(total) : ceiling(total + validityThreshold(total), 2n);
}

function ceiling(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}

// Nobody is no quorum, whatever the total.
export function isQuorum(committee: Committee, votes: bigint, rule: QuorumRule): boolean {
  return votes > 0n && votes >= quorumThreshold(committee.total, rule);
}
