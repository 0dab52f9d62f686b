// Rejections. A reason is one of the names that the clauses print in capitals.

export type Reason =
  | "ARITHMETIC"
  | "CERTIFICATE_REQUIRES_QUORUM"
  | "CERTIFICATE_VALIDATOR_REUSE"
  | "COMMITTEE_OVERFLOW"
  | "DUPLICATE_VALIDATOR"
  | "EMPTY_COMMITTEE"
  | "EMPTY_OWNER_SET"
  | "HAS_LOCKED_BLOCK"
  | "INCORRECT_MESSAGE_ORDER"
  | "INSUFFICIENT_ROUND"
  | "INVALID_BLOCK_PROPOSAL"
  | "INVALID_CERTIFICATE_SIGNER"
  | "INVALID_NEW_CHAIN_ID"
  | "INVALID_OWNER"
  | "INVALID_SIGNATURE"
  | "INVALID_TAG"
  | "NON_CANONICAL_LENGTH"
  | "OUT_OF_RANGE"
  | "OUT_OF_TURN"
  | "PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST"
  | "TRAILING_BYTES"
  | "UNEXPECTED_CERTIFICATE_KIND"
  | "UNEXPECTED_END"
  | "UNEXPECTED_MESSAGE"
  | "UNKNOWN_OWNER"
  | "UNSORTED_MAP";

export class Rejection extends Error {
  constructor(readonly reason: Reason) {
    super(reason);
  }
}

// "`guard`, else `reason`", as the clauses put it.
export function require(guard: boolean, reason: Reason): asserts guard {
  if (!guard) throw new Rejection(reason);
}
