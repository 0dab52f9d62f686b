// Rejections. A reason is one of the names that the clauses print in capitals.

export type Reason =
  | "ARITHMETIC"
  | "CERTIFICATE_REQUIRES_QUORUM"
  | "CERTIFICATE_VALIDATOR_REUSE"
  | "COMMITTEE_OVERFLOW"
  | "DUPLICATE_VALIDATOR"
  | "EMPTY_COMMITTEE"
  | "INCORRECT_MESSAGE_ORDER"
  | "INVALID_CERTIFICATE_SIGNER"
  | "INVALID_NEW_CHAIN_ID"
  | "INVALID_SIGNATURE"
  | "INVALID_TAG"
  | "NON_CANONICAL_LENGTH"
  | "OUT_OF_RANGE"
  | "TRAILING_BYTES"
  | "UNEXPECTED_END"
  | "UNEXPECTED_MESSAGE"
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
