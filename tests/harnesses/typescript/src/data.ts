// The data types of the protocol, arguments and variants in the order of the table of WP-2.3-DATA-TYPE.

import {
  boolean, byteString, bytesOr, enumeration, fixed, map, option, pair, record, sequence, set, structure, u32, u64, u128,
  union, type Of, type Type,
} from "./types.js";

// A data type has a marker, which keeps hashes and signatures of different data types apart.
export type DataType<T> = Type<T> & { readonly marker: string };

function data<T extends Record<string, Type<any>>>(marker: string, shape: T) {
  return { marker, ...record(shape) };
}

export const hashValue = fixed(32);
export const key = fixed(32);
export const signature = fixed(64);

export const chainId = sequence(u64); // WP-2.4-IDENTIFIER says which of them name a chain
export type ChainId = Of<typeof chainId>;

export const Create = data("Create", { owner: key });
export const User = data("User", { payload: byteString });
export const content = union({ Create, User });

export const Message = data("Message", {
  origin: chainId,
  height: u64,
  index: u32,
  block_hash: hashValue,
  content,
});
export type Message = Of<typeof Message>;

export const OpenChain = data("OpenChain", { chain_id: chainId, owner: key });
export const ChangeKey = data("ChangeKey", { owner: key });
export const CloseChain = data("CloseChain", {});
export const Execute = data("Execute", { operation: byteString });
export const Receive = data("Receive", { message: Message });
export const AddOwner = data("AddOwner", { owner: key });
export const RemoveOwner = data("RemoveOwner", { owner: key });
export const transaction = union({ OpenChain, ChangeKey, CloseChain, Execute, Receive, AddOwner, RemoveOwner });

export const Block = data("Block", {
  chain_id: chainId,
  height: u64,
  previous_hash: option(hashValue),
  transactions: sequence(transaction),
});
export type Block = Of<typeof Block>;

export const OutgoingMessage = data("OutgoingMessage", { recipient: chainId, content });

export const ExecutedBlock = data("ExecutedBlock", {
  block: Block,
  messages: sequence(OutgoingMessage),
  state_hash: hashValue,
});
export type ExecutedBlock = Of<typeof ExecutedBlock>;

export const BlockAndRound = data("BlockAndRound", { block: Block, round: u32 });
export const kind = enumeration("VALIDATED", "CONFIRMED");

export const VotePayload = data("VotePayload", { kind, block_hash: hashValue, round: u32 });
export type VotePayload = Of<typeof VotePayload>;
export const Vote = data("Vote", { payload: VotePayload, validator: key, signature });
export type Vote = Of<typeof Vote>;

export const Certificate = data("Certificate", {
  executed: ExecutedBlock,
  kind,
  round: u32,
  signatures: sequence(pair(key, signature)),
});
export type Certificate = Of<typeof Certificate>;

// WP-2.9-JUSTIFICATION: a later validated certificate, where locks are to be released.
export const Request = data("Request", {
  block: Block,
  round: u32,
  owner: key,
  signature,
  justification: option(Certificate),
});
export type Request = Of<typeof Request>;

// WP-2.9-OWNERS.
export const Owners = data("Owners", { keys: set(key) });
export const owner = bytesOr(key, { Owners });
export type Owner = Of<typeof owner>;

// WP-A.1-CURSOR.
export const Cursor = data("Cursor", { height: u64, index: u32 });
export type Cursor = Of<typeof Cursor>;

export const ChainState = data("ChainState", {
  created: boolean,
  owner: option(owner),
  tx_count: u64,
  state: byteString,
  consumed: map(chainId, Cursor),
});

// WP-2.5-REQUEST.
export const UpdateRecipient = data("UpdateRecipient", {
  sender: chainId,
  recipient: chainId,
  certificates: sequence(Certificate),
});
export const ConfirmUpdatedRecipient = data("ConfirmUpdatedRecipient", {
  sender: chainId,
  recipient: chainId,
  height: u64,
});

// WP-2.7-TOKEN.
export const Balance = data("Balance", { amount: u128 });
export const Transfer = data("Transfer", { recipient: chainId, amount: u128 });
export const Burn = data("Burn", { amount: u128 });
export const TokenOperation = data("TokenOperation", { action: union({ Transfer, Burn }) });
export const Credit = data("Credit", { amount: u128 });

// WP-4.6-SWAP.
export const Asset = data("Asset", { token: u32, amount: u128 });
export const Deposit = data("Deposit", { home: chainId, asset: Asset, wanted: Asset });
export const Holdings = data("Holdings", { balances: map(u32, u128), deposits: map(key, Deposit) });
export const PutIn = data("PutIn", { swap: chainId, depositor: key, asset: Asset, wanted: Asset });
export const Conclude = data("Conclude", { confirm: boolean });
export const SwapOperation = data("SwapOperation", { action: union({ PutIn, Conclude }) });
export const Deposited = data("Deposited", { depositor: key, asset: Asset, wanted: Asset });
export const Paid = data("Paid", { asset: Asset });
export const SwapMessage = data("SwapMessage", { event: union({ Deposited, Paid }) });

// WP-2.3-HASH: for its check values only.
export const Root = data("Root", { index: u32 });
export const Child = data("Child", { parent: hashValue, height: u64, index: u32 });
export const ChainDescription = data("ChainDescription", { origin: union({ Root, Child }) });

export const DATA_TYPES: ReadonlyMap<string, DataType<any>> = new Map(
  [
    Block, OpenChain, ChangeKey, CloseChain, Execute, Receive, Message, Create, User, OutgoingMessage, ExecutedBlock,
    BlockAndRound, Request, VotePayload, Vote, Certificate, ChainState, UpdateRecipient, ConfirmUpdatedRecipient,
    Cursor, Balance, Transfer, Burn, TokenOperation, Credit, Root, Child, ChainDescription, AddOwner, RemoveOwner,
    Owners, Asset, Deposit, Holdings, PutIn, Conclude, SwapOperation, Deposited, Paid, SwapMessage,
  ].map((type) => [type.marker, type]),
);

// Values that are exchanged as forms and neither signed nor hashed nor sent.

export const LAST_HEIGHT = 2n ** 64n - 1n;

export const committee = record({ weights: map(key, u64), total: u64 });
export type Committee = Of<typeof committee>;

// The paper's quorum, and that of the profile of revision H (WP-2.2-QUORUM).
export const quorumRule = enumeration("N_MINUS_F", "HALF_WAY");
export type QuorumRule = Of<typeof quorumRule>;

export const signer = record({ public_key: key, secret: key });
export type Signer = Of<typeof signer>;

// WP-2.8-STOP-AT-QUORUM: the votes on one payload that were counted.
export const aggregate = record({ payload: VotePayload, signatures: map(key, signature) });
export type Aggregate = Of<typeof aggregate>;

export const orderedInbox = record({
  next_add: Cursor,
  consumed: Cursor,
  added: sequence(Message), // queues, from front to back
  removed: sequence(Message),
});
export type OrderedInbox = Of<typeof orderedInbox>;

// I₊, received and not consumed, and I₋, consumed and not received.
export const twoSetInbox = structure({ plus: set(Message), minus: set(Message) });
export type TwoSetInbox = Of<typeof twoSetInbox>;

export const outbox = record({ next_schedule: u64, queue: sequence(u64) });
export type Outbox = Of<typeof outbox>;

export const counters = map(u64, u64);
export type Counters = Of<typeof counters>;

// What a node remembers of the height in progress: the round of the last proposal, and the lock (WP-2.9-LOCK).
export const rounds = record({ last: u32, locked: option(Certificate) });
export type Rounds = Of<typeof rounds>;

export const roundInfo = record({ chain_id: chainId, next_height: u64, pending: option(ExecutedBlock), rounds });
export type RoundInfo = Of<typeof roundInfo>;

// The parameters of every transition.
export const context = structure({
  scheme: enumeration("ed25519", "ideal"),
  application: enumeration("token", "swap"),
  committee,
  rules: structure({ quorum: quorumRule, anticipation: enumeration("WHOLE_INBOX", "THIS_PROPOSAL") }),
  tracks_inactive: boolean,
});
