import anchor, { type Idl } from '@coral-xyz/anchor';
import { decodeMeterId, encodeMeterId, GtxError, isMeterId } from '@gridtokenx/protocol';
import { type AccountMeta, PublicKey, TransactionInstruction } from '@solana/web3.js';

// Anchor is a CommonJS module: node sees only some of its names as named exports.
const { BN, BorshCoder } = anchor;

interface Field {
  name: string;
  type: unknown;
}

interface IdlAccountItem {
  name: string;
  writable?: boolean;
  signer?: boolean;
}

/** snake_case of an IDL to the camelCase of our types. The generator of `idl/*.ts` has the same rule. */
function camel(name: string): string {
  return name.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function isByteArray(type: unknown): boolean {
  return (
    typeof type === 'object' && type !== null && 'array' in type && (type.array as unknown[])[0] === 'u8'
  );
}

function isMeterIdField({ name, type }: Field): boolean {
  return name === 'meter_id' && isByteArray(type) && (type as { array: [string, number] }).array[1] === 32;
}

/** Anchor 2's zero-copy structs have no bool: these integers are 0 or 1. */
const FLAGS = new Set([
  'verified',
  'paused',
  'active',
  'rebased',
  'sell_closed',
  'buy_closed',
  'auto_issue',
  'automatic',
]);
/** 32 to 128 bytes under these names are text: UTF-8, zero-padded. */
const TEXTS = new Set(['beneficiary', 'reason', 'title', 'uri']);
/** Bytes of the simple types; those of varying length count with their length prefix. */
const SIZES: Record<string, number> = {
  bool: 1,
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  u64: 8,
  i64: 8,
  u128: 16,
  i128: 16,
  pubkey: 32,
  string: 4,
  bytes: 4,
};
/** What only fills space. */
const FILLERS = new Set(['padding', 'reserved']);

/**
 * 32 bytes as a meter id. Bytes that are none become `hex:...`, which no meter id can look like: one odd
 * account or event must not keep anybody from reading the others.
 */
function meterIdOf(bytes: Uint8Array): string {
  try {
    return decodeMeterId(bytes);
  } catch {
    return `hex:${Buffer.from(bytes).toString('hex')}`;
  }
}

function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('utf8');
}

function textBytes(name: string, text: string, length: number): Uint8Array {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length > length)
    throw new GtxError('MESSAGE_INVALID', `the ${name} takes at most ${length} bytes of UTF-8`);
  const padded = new Uint8Array(length);
  padded.set(bytes);
  return padded;
}

function meterIdBytes(text: string): Uint8Array {
  const odd = /^hex:([0-9a-f]{64})$/.exec(text)?.[1];
  return odd !== undefined && !isMeterId(text)
    ? Uint8Array.from(Buffer.from(odd, 'hex'))
    : encodeMeterId(text);
}

/**
 * Reads and writes one program's accounts, events and instructions as its IDL describes them.
 *
 * Anchor's coder does the bytes. It reads borsh, and Anchor 2's zero-copy ("bytemuck") accounts are the same
 * bytes: little-endian, in order, without padding (Pod types may have none). On top of it, names become
 * camelCase, 64-bit integers `bigint`, byte arrays `Uint8Array`, 32 bytes called `meter_id` and some others text, and the flags of
 * zero-copy structs `boolean`; padding is left out.
 *
 * The type parameters are the interfaces that `scripts/sync-idl.mjs` writes beside the IDL.
 */
export class ProgramCodec<Accounts, Events, Args, Keys> {
  readonly programId: PublicKey;
  private readonly coder: InstanceType<typeof BorshCoder>;
  private readonly structs: Map<string, Field[]>;
  private readonly errors: Map<number, { name: string; message: string }>;

  constructor(private readonly idl: Idl) {
    this.programId = new PublicKey(idl.address);
    this.coder = new BorshCoder(idl);
    this.structs = new Map(
      (idl.types ?? []).map(({ name, type }) => [
        name,
        type.kind === 'struct' ? ((type.fields ?? []) as unknown as Field[]) : [],
      ]),
    );
    this.errors = new Map(
      (idl.errors ?? []).map(({ code, name, msg }) => [code, { name, message: msg ?? name }]),
    );
  }

  /**
   * Reads an account of the program.
   * @param data the account's whole data, discriminator included.
   * @throws GtxError MESSAGE_INVALID when it is another kind of account or too short.
   */
  decodeAccount<Name extends keyof Accounts & string>(name: Name, data: Uint8Array): Accounts[Name] {
    try {
      this.assertSize(name, data.length, this.accountDiscriminator(name).length);
      const raw: unknown = this.coder.accounts.decode(name, Buffer.from(data));
      return this.fromBorsh({ defined: { name } }, raw) as Accounts[Name];
    } catch (error) {
      throw new GtxError(
        'MESSAGE_INVALID',
        `not a ${name} account of ${this.idl.metadata.name}`,
        {},
        { cause: error },
      );
    }
  }

  /** The first bytes of every account of this kind, for `memcmp` filters. */
  accountDiscriminator(name: keyof Accounts & string): Uint8Array {
    return Uint8Array.from(this.idl.accounts?.find((account) => account.name === name)?.discriminator ?? []);
  }

  /** Reads an event's bytes as a program logs them; undefined when they are none of this program's events. */
  decodeEvent(
    bytes: Uint8Array,
  ):
    | { [Name in keyof Events & string]: { name: Name; data: Events[Name] } }[keyof Events & string]
    | undefined {
    try {
      const event = this.coder.events.decode(Buffer.from(bytes).toString('base64'));
      if (!event) return undefined;
      const discriminator =
        this.idl.events?.find(({ name }) => name === event.name)?.discriminator.length ?? 0;
      this.assertSize(event.name, bytes.length, discriminator);
      const data = this.fromBorsh({ defined: { name: event.name } }, event.data);
      return { name: event.name, data } as never;
    } catch {
      // Cut short or of another version of the program: the same as unknown, and the caller counts it.
      return undefined;
    }
  }

  /**
   * Builds an instruction. The IDL gives the order of the accounts and which of them sign or are written.
   * @param remaining accounts that follow the named ones.
   */
  instruction<Name extends keyof Args & keyof Keys & string>(
    name: Name,
    args: Args[Name],
    keys: Keys[Name],
    remaining: readonly AccountMeta[] = [],
  ): TransactionInstruction {
    const definition = this.definition(name);
    const given = args as Record<string, unknown>;
    const encoded = Object.fromEntries(
      definition.args.map((field) => [field.name, this.toBorsh(field, given[camel(field.name)])]),
    );
    const accounts = keys as Record<string, PublicKey>;
    return new TransactionInstruction({
      programId: this.programId,
      data: this.coder.instruction.encode(name, encoded),
      keys: [
        ...(definition.accounts as IdlAccountItem[]).map((account): AccountMeta => {
          const pubkey = accounts[camel(account.name)];
          if (!pubkey) throw new TypeError(`${name} needs the account ${camel(account.name)}`);
          return { pubkey, isSigner: account.signer ?? false, isWritable: account.writable ?? false };
        }),
        ...remaining,
      ],
    });
  }

  /**
   * Reads an instruction's data; undefined when it is none of this program's.
   * `accountCount` is how many named accounts it has: what follows them are remaining ones.
   */
  decodeInstruction(
    data: Uint8Array,
  ): { name: keyof Args & string; args: unknown; accountCount: number } | undefined {
    let decoded: ReturnType<typeof this.coder.instruction.decode>;
    try {
      decoded = this.coder.instruction.decode(Buffer.from(data));
    } catch {
      return undefined;
    }
    if (!decoded) return undefined;
    const { args, accounts, name } = this.definition(decoded.name);
    return {
      name: name as keyof Args & string,
      args: this.fields(args as unknown as Field[], decoded.data),
      accountCount: accounts.length,
    };
  }

  /** The program's error of this code. */
  error(code: number): { name: string; message: string } | undefined {
    return this.errors.get(code);
  }

  /** Bytes of an account's data, its discriminator included: of kinds that all have one size. */
  accountBytes(name: keyof Accounts & string): number {
    return this.accountDiscriminator(name).length + this.sizeOf({ defined: { name } });
  }

  /** Anchor's coder reads what is cut short as if its missing fields were short or zero: nothing may be missing. */
  private assertSize(name: string, length: number, discriminator: number): void {
    const size = discriminator + this.sizeOf({ defined: { name } });
    if (length < size) throw new RangeError(`${name} has ${size} bytes, not ${length}`);
  }

  /** The bytes that a value of this type takes at least. */
  private sizeOf(type: unknown): number {
    if (typeof type === 'string') return SIZES[type] ?? 0;
    if (typeof type !== 'object' || type === null) return 0;
    if ('array' in type) {
      const [item, length] = type.array as [unknown, number];
      return this.sizeOf(item) * length;
    }
    if ('defined' in type) {
      const fields = this.structs.get((type.defined as { name: string }).name) ?? [];
      return fields.reduce((sum, field) => sum + this.sizeOf(field.type), 0);
    }
    return 'vec' in type ? 4 : 1;
  }

  private definition(name: string): Idl['instructions'][number] {
    const found = this.idl.instructions.find((instruction) => instruction.name === name);
    if (!found) throw new TypeError(`${this.idl.metadata.name} has no instruction ${name}`);
    return found;
  }

  private fields(fields: readonly Field[], raw: unknown): Record<string, unknown> {
    const source = raw as Record<string, unknown>;
    return Object.fromEntries(
      fields
        .filter(({ name }) => !FILLERS.has(name))
        .map((field) => [camel(field.name), this.field(field, source[field.name])]),
    );
  }

  private field(field: Field, value: unknown): unknown {
    if (isMeterIdField(field)) return meterIdOf(Uint8Array.from(value as number[]));
    if (TEXTS.has(field.name) && isByteArray(field.type)) return textOf(Uint8Array.from(value as number[]));
    if (FLAGS.has(field.name) && typeof value === 'number') return value !== 0;
    return this.fromBorsh(field.type, value);
  }

  private fromBorsh(type: unknown, raw: unknown): unknown {
    if (BN.isBN(raw)) return BigInt(String(raw));
    if (isByteArray(type) || type === 'bytes') return Uint8Array.from(raw as ArrayLike<number>);
    if (typeof type !== 'object' || type === null) return raw;
    if ('array' in type)
      return (raw as unknown[]).map((item) => this.fromBorsh((type.array as unknown[])[0], item));
    if ('vec' in type) {
      const items = (raw as unknown[]).map((item) => this.fromBorsh(type.vec, item));
      return type.vec === 'u8' ? Uint8Array.from(items as number[]) : items;
    }
    if ('option' in type) return raw === null ? undefined : this.fromBorsh(type.option, raw);
    if ('defined' in type) {
      const { name } = type.defined as { name: string };
      const fields = this.structs.get(name) ?? [];
      // An enum without fields is decoded as `{Variant: {}}`.
      return fields.length === 0 ? Object.keys(raw as object)[0] : this.fields(fields, raw);
    }
    return raw;
  }

  private toBorsh(field: Field, value: unknown): unknown {
    if (value === undefined) throw new TypeError(`the argument ${camel(field.name)} is missing`);
    if (isMeterIdField(field)) return [...meterIdBytes(value as string)];
    if (TEXTS.has(field.name) && isByteArray(field.type)) {
      const [, length] = (field.type as { array: [string, number] }).array;
      return [...textBytes(field.name, value as string, length)];
    }
    return this.toBorshType(field.type, value);
  }

  private toBorshType(type: unknown, value: unknown): unknown {
    if (typeof value === 'bigint') return new BN(value.toString());
    if (value instanceof Uint8Array) return [...value];
    if (typeof type !== 'object' || type === null) return value;
    if ('vec' in type) return (value as unknown[]).map((item) => this.toBorshType(type.vec, item));
    if ('defined' in type) {
      const fields = this.structs.get((type.defined as { name: string }).name) ?? [];
      const given = value as Record<string, unknown>;
      return fields.length === 0
        ? value
        : Object.fromEntries(
            fields.map((field) => [field.name, this.toBorsh(field, given[camel(field.name)])]),
          );
    }
    return value;
  }
}
