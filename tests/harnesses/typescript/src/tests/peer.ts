// The data types of WP-2.3-DATA-TYPE once more, in the words of the package `@mysten/bcs`, which takes and gives their
// forms here; and, beside each, how to draw a value.

import { bcs, type BcsType } from "@mysten/bcs";
import type { Form } from "../forms.js";
import type { Numbers } from "./numbers.js";

export interface Peer {
  bcs: BcsType<any, any>;
  draw(from: Numbers): Form;
}

const hex = (bytes: Iterable<number>): string => Buffer.from([...bytes]).toString("hex");
const unhex = (form: string): Uint8Array => Buffer.from(form, "hex");

const number = (type: BcsType<any, any>, width: number): Peer => ({
  bcs: type.transform({ input: (form: string) => (width > 4 ? form : Number(form)), output: String }),
  draw: (from) => String(from.unsigned(width)),
});
const u32 = number(bcs.u32(), 4);
const u64 = number(bcs.u64(), 8);
const u128 = number(bcs.u128(), 16);

const boolean: Peer = { bcs: bcs.bool(), draw: (from) => from.below(2) === 1 };

const fixed = (size: number): Peer => ({
  bcs: bcs.bytes(size).transform({ input: unhex, output: hex }),
  draw: (from) => from.bytes(size),
});
const hash = fixed(32);
const key = fixed(32);
const signature = fixed(64);

// 200 is beyond 127, where lengths begin to take two bytes.
const drawLength = (from: Numbers, few: number): number => (from.below(100) === 0 ? 200 : from.below(few));

const byteString: Peer = {
  bcs: bcs.byteVector().transform({ input: unhex, output: hex }),
  draw: (from) => from.bytes(drawLength(from, 5)),
};

const sequence = (item: Peer): Peer => ({
  bcs: bcs.vector(item.bcs),
  draw: (from) => Array.from({ length: drawLength(from, 4) }, () => item.draw(from)),
});

const pair = (first: Peer, second: Peer): Peer => ({
  bcs: bcs.tuple([first.bcs, second.bcs]),
  draw: (from) => [first.draw(from), second.draw(from)],
});

const option = (peer: Peer): Peer => ({
  bcs: bcs.option(peer.bcs),
  draw: (from) => (from.below(3) === 0 ? null : peer.draw(from)),
});

const map = (keys: Peer, values: Peer): Peer => ({
  bcs: bcs
    .map(keys.bcs, values.bcs)
    .transform({ input: (form: any) => new Map(form), output: (entries) => [...entries] }),
  draw(from) {
    const entries = Array.from({ length: from.below(6) }, () => [keys.draw(from), values.draw(from)] as const);
    return [...new Map(entries.map((entry) => [JSON.stringify(entry[0]), [...entry]])).values()];
  },
});

// Members sorted by their form: the bytes of a key.
const setOfKeys: Peer = {
  bcs: bcs.vector(key.bcs).transform({ input: (form: any) => [...form].sort(), output: (items) => [...items] }),
  draw: (from) => [...new Set(Array.from({ length: from.below(6) }, () => key.draw(from)))],
};

const record = (name: string, shape: Record<string, Peer>): Peer => ({
  bcs: bcs.struct(name, Object.fromEntries(Object.entries(shape).map(([field, peer]) => [field, peer.bcs]))),
  draw: (from) => Object.fromEntries(Object.entries(shape).map(([field, peer]) => [field, peer.draw(from)])),
});

const union = (name: string, variants: Record<string, Peer>): Peer => ({
  bcs: bcs
    .enum(name, Object.fromEntries(Object.entries(variants).map(([variant, peer]) => [variant, peer.bcs])))
    .transform({ input: (form: any) => form, output: ({ $kind, ...form }: any) => form }),
  draw(from) {
    const [variant, peer] = Object.entries(variants)[from.below(Object.keys(variants).length)]!;
    return { [variant]: peer.draw(from) };
  },
});

const enumeration = (name: string, ...names: string[]): Peer => ({
  bcs: bcs
    .enum(name, Object.fromEntries(names.map((each) => [each, null])))
    .transform({ input: (form: string): any => ({ [form]: true }), output: ({ $kind }: any) => $kind }),
  draw: (from) => names[from.below(names.length)]!,
});

const chainId = sequence(u64);
const Create = record("Create", { owner: key });
const User = record("User", { payload: byteString });
const content = union("Content", { Create, User });
const Message = record("Message", { origin: chainId, height: u64, index: u32, block_hash: hash, content });
const OpenChain = record("OpenChain", { chain_id: chainId, owner: key });
const ChangeKey = record("ChangeKey", { owner: key });
const CloseChain = record("CloseChain", {});
const Execute = record("Execute", { operation: byteString });
const Receive = record("Receive", { message: Message });
const AddOwner = record("AddOwner", { owner: key });
const RemoveOwner = record("RemoveOwner", { owner: key });
const transaction = union("Transaction", {
  OpenChain, ChangeKey, CloseChain, Execute, Receive, AddOwner, RemoveOwner,
});
const Block = record("Block", {
  chain_id: chainId,
  height: u64,
  previous_hash: option(hash),
  transactions: sequence(transaction),
});
const OutgoingMessage = record("OutgoingMessage", { recipient: chainId, content });
const ExecutedBlock = record("ExecutedBlock", {
  block: Block,
  messages: sequence(OutgoingMessage),
  state_hash: hash,
});
const kind = enumeration("Kind", "VALIDATED", "CONFIRMED");
const VotePayload = record("VotePayload", { kind, block_hash: hash, round: u32 });
const Certificate = record("Certificate", {
  executed: ExecutedBlock,
  kind,
  round: u32,
  signatures: sequence(pair(key, signature)),
});
const Cursor = record("Cursor", { height: u64, index: u32 });

const Transfer = record("Transfer", { recipient: chainId, amount: u128 });
const Burn = record("Burn", { amount: u128 });
const Asset = record("Asset", { token: u32, amount: u128 });
const Deposit = record("Deposit", { home: chainId, asset: Asset, wanted: Asset });
const PutIn = record("PutIn", { swap: chainId, depositor: key, asset: Asset, wanted: Asset });
const Conclude = record("Conclude", { confirm: boolean });
const Deposited = record("Deposited", { depositor: key, asset: Asset, wanted: Asset });
const Paid = record("Paid", { asset: Asset });
const Owners = record("Owners", { keys: setOfKeys });
const tagged = union("Owner", { key, Owners });
const owner: Peer = {
  bcs: tagged.bcs.transform({
    input: (form: any) => (typeof form === "string" ? { key: form } : form),
    output: (form: any) => ("key" in form ? form.key : form),
  }),
  draw(from) {
    const form: any = tagged.draw(from);
    return "key" in form ? form.key : form;
  },
};
const Root = record("Root", { index: u32 });
const Child = record("Child", { parent: hash, height: u64, index: u32 });

export const PEERS: Record<string, Peer> = {
  Block, OpenChain, ChangeKey, CloseChain, Execute, Receive, Message, Create, User, OutgoingMessage, ExecutedBlock,
  VotePayload, Certificate, Cursor, Transfer, Burn, Root, Child, AddOwner, RemoveOwner, Asset, Deposit, PutIn, Conclude,
  Deposited, Paid, Owners,
  BlockAndRound: record("BlockAndRound", { block: Block, round: u32 }),
  Request: record("Request", { block: Block, round: u32, owner: key, signature, justification: option(Certificate) }),
  Holdings: record("Holdings", { balances: map(u32, u128), deposits: map(key, Deposit) }),
  SwapOperation: record("SwapOperation", { action: union("SwapAction", { PutIn, Conclude }) }),
  SwapMessage: record("SwapMessage", { event: union("SwapEvent", { Deposited, Paid }) }),
  Vote: record("Vote", { payload: VotePayload, validator: key, signature }),
  ChainState: record("ChainState", {
    created: boolean,
    owner: option(owner),
    tx_count: u64,
    state: byteString,
    consumed: map(chainId, Cursor),
  }),
  UpdateRecipient: record("UpdateRecipient", {
    sender: chainId,
    recipient: chainId,
    certificates: sequence(Certificate),
  }),
  ConfirmUpdatedRecipient: record("ConfirmUpdatedRecipient", { sender: chainId, recipient: chainId, height: u64 }),
  Balance: record("Balance", { amount: u128 }),
  TokenOperation: record("TokenOperation", { action: union("Action", { Transfer, Burn }) }),
  Credit: record("Credit", { amount: u128 }),
  ChainDescription: record("ChainDescription", { origin: union("Origin", { Root, Child }) }),
};
