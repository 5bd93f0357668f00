/*
 * Reads accounts by the IDLs, fast: offsets are worked out once, and only fixed-size fields are read.
 */
import { type Idl, utils } from '@coral-xyz/anchor';
import type { PublicKey } from '@solana/web3.js';
import { type ProgramName, program } from '../support.js';

// biome-ignore lint/suspicious/noExplicitAny: the fields are the IDL's
export type Fields = Record<string, any>;
type Read = (data: Buffer, at: number) => unknown;
interface Plan {
  size: number;
  read: Read;
}

const names = new Map<string, string>();
/** 32 bytes as base58; each address is worked out once. */
function base58(bytes: Buffer): string {
  const key = bytes.toString('latin1');
  let text = names.get(key);
  if (text === undefined) {
    text = utils.bytes.bs58.encode(bytes);
    names.set(key, text);
  }
  return text;
}

const SIMPLE: Record<string, Plan> = {
  bool: { size: 1, read: (data, at) => data[at] !== 0 },
  u8: { size: 1, read: (data, at) => data[at] },
  i8: { size: 1, read: (data, at) => data.readInt8(at) },
  u16: { size: 2, read: (data, at) => data.readUInt16LE(at) },
  u32: { size: 4, read: (data, at) => data.readUInt32LE(at) },
  i32: { size: 4, read: (data, at) => data.readInt32LE(at) },
  u64: { size: 8, read: (data, at) => data.readBigUInt64LE(at) },
  i64: { size: 8, read: (data, at) => data.readBigInt64LE(at) },
  u128: { size: 16, read: (data, at) => data.readBigUInt64LE(at) | (data.readBigUInt64LE(at + 8) << 64n) },
  pubkey: { size: 32, read: (data, at) => base58(data.subarray(at, at + 32)) },
};
const UNREAD = new Set(['padding', 'reserved']);

function planOf(idl: Idl, type: unknown): Plan | undefined {
  if (typeof type === 'string') return SIMPLE[type];
  if (typeof type !== 'object' || type === null) return undefined;
  if ('array' in type) {
    const [item, length] = type.array as [unknown, number];
    if (item === 'u8') return { size: length, read: (data, at) => data.subarray(at, at + length) };
    const plan = planOf(idl, item);
    return (
      plan && {
        size: plan.size * length,
        read: (data, at) => Array.from({ length }, (_, i) => plan.read(data, at + i * plan.size)),
      }
    );
  }
  if ('defined' in type) {
    const { name } = type.defined as { name: string };
    const found = idl.types?.find((each) => each.name === name)?.type;
    if (found?.kind !== 'struct') return undefined;
    const fields: { name: string; at: number; read: Read }[] = [];
    let size = 0;
    for (const field of (found.fields ?? []) as { name: string; type: unknown }[]) {
      const plan = planOf(idl, field.type);
      // What follows a field of varying size is out of reach.
      if (!plan) break;
      if (!UNREAD.has(field.name)) fields.push({ name: field.name, at: size, read: plan.read });
      size += plan.size;
    }
    return {
      size,
      read: (data, at) => {
        const all: Fields = {};
        for (const field of fields) all[field.name] = field.read(data, at + field.at);
        return all;
      },
    };
  }
  return undefined;
}

interface Kind {
  program: ProgramName;
  name: string;
  plan: Plan;
}

const kinds = new Map<string, Kind>();
/** Learns a program's accounts. */
export function learn(of: ProgramName): void {
  const { idl, id } = program(of);
  for (const { name, discriminator } of idl.accounts ?? []) {
    const plan = planOf(idl, { defined: { name } });
    if (plan)
      kinds.set(`${id.toBase58()}/${Buffer.from(discriminator).toString('latin1')}`, {
        program: of,
        name,
        plan,
      });
  }
}

/** What an account of our programs holds; undefined when it is of no known kind. */
export function fieldsOf(
  owner: PublicKey,
  data: Buffer,
): { program: ProgramName; name: string; fields: Fields } | undefined {
  const kind = kinds.get(`${owner.toBase58()}/${data.toString('latin1', 0, 8)}`);
  if (!kind || data.length < 8 + kind.plan.size) return undefined;
  return { program: kind.program, name: kind.name, fields: kind.plan.read(data, 8) as Fields };
}

/** A key's base58, worked out once. */
export const nameOf = (key: PublicKey): string => base58(Buffer.from(key.toBytes()));
