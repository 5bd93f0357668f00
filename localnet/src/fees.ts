// Fees, compute limits and block cost of a transaction (agave: fee, compute-budget-instruction, cost-model).
import {
  BPF_LOADER,
  BPF_LOADER_DEPRECATED,
  BPF_LOADER_UPGRADEABLE,
  COMPUTE_BUDGET_PROGRAM,
  ED25519_PROGRAM,
  LOADER_V4,
  SECP256K1_PROGRAM,
  SECP256R1_PROGRAM,
  SYSTEM_PROGRAM,
  VOTE_PROGRAM,
} from './addresses.js';
import type { TransactionError } from './transaction-error.js';
import { isWritableStatic, type Message } from './wire.js';

const LAMPORTS_PER_SIGNATURE = 5000n;
const MAX_COMPUTE_UNIT_LIMIT = 1_400_000;
const DEFAULT_INSTRUCTION_COMPUTE_UNITS = 200_000;
const BUILTIN_INSTRUCTION_COMPUTE_UNITS = 3_000;

// BUILTIN_INSTRUCTION_COSTS of solana-builtins-default-costs; these count 3,000 units each when no limit is set.
const BUILTINS = new Set([
  SYSTEM_PROGRAM,
  COMPUTE_BUDGET_PROGRAM,
  BPF_LOADER_UPGRADEABLE,
  BPF_LOADER_DEPRECATED,
  BPF_LOADER,
  LOADER_V4,
  SECP256K1_PROGRAM,
  ED25519_PROGRAM,
  VOTE_PROGRAM,
]);

export interface ComputeBudget {
  computeUnitLimit: number;
  /** Priority fee in micro-lamports per compute unit. */
  microLamportsPerUnit: bigint;
}

/** What the transaction's ComputeBudget instructions ask for, with the defaults for what they leave out. */
export function computeBudget(message: Message): ComputeBudget {
  let requested: number | undefined;
  let microLamportsPerUnit = 0n;
  let implied = 0;
  for (const instruction of message.instructions) {
    const program = message.accountKeys[instruction.programIdIndex] as string;
    implied += BUILTINS.has(program) ? BUILTIN_INSTRUCTION_COMPUTE_UNITS : DEFAULT_INSTRUCTION_COMPUTE_UNITS;
    if (program !== COMPUTE_BUDGET_PROGRAM) continue;
    const data = Buffer.from(instruction.data);
    // Borsh tags of ComputeBudgetInstruction: 2 SetComputeUnitLimit(u32), 3 SetComputeUnitPrice(u64).
    if (data[0] === 2 && data.length >= 5) requested = data.readUInt32LE(1);
    if (data[0] === 3 && data.length >= 9) microLamportsPerUnit = data.readBigUInt64LE(1);
  }
  return { computeUnitLimit: Math.min(requested ?? implied, MAX_COMPUTE_UNIT_LIMIT), microLamportsPerUnit };
}

/** An error that stops a transaction before anything runs, and whether a node finds it while reading the bytes. */
export interface ComputeBudgetError {
  error: TransactionError;
  malformed: boolean;
}

/** What is wrong with the ComputeBudget instructions (Borsh tags 1 to 4), if anything. */
export function computeBudgetError(message: Message): ComputeBudgetError | undefined {
  const seen = new Set<number>();
  let later: TransactionError = null;
  for (const [index, instruction] of message.instructions.entries()) {
    if (message.accountKeys[instruction.programIdIndex] !== COMPUTE_BUDGET_PROGRAM) continue;
    const data = Buffer.from(instruction.data);
    const tag = data[0] ?? 0;
    const invalid: TransactionError = { InstructionError: [index, 'InvalidInstructionData'] };
    if (tag < 1 || tag > 4 || data.length < (tag === 3 ? 9 : 5)) return { error: invalid, malformed: true };
    if (seen.has(tag)) return { error: { DuplicateInstruction: index }, malformed: true };
    seen.add(tag);
    const value = data.readUInt32LE(1);
    if (tag === 1 && (value < 32 * 1024 || value > 256 * 1024 || value % 1024 !== 0)) later ??= invalid;
    if (tag === 4 && value === 0) later ??= 'InvalidLoadedAccountsDataSizeLimit';
  }
  return later === null ? undefined : { error: later, malformed: false };
}

function precompileSignatures(message: Message, program: string): number {
  let count = 0;
  for (const instruction of message.instructions) {
    if (message.accountKeys[instruction.programIdIndex] === program) count += instruction.data[0] ?? 0;
  }
  return count;
}

/** The fee in lamports: 5,000 per signature (those of precompiles included) plus the priority fee. */
export function feeFor(message: Message): bigint {
  const signatures =
    message.requiredSignatures +
    precompileSignatures(message, ED25519_PROGRAM) +
    precompileSignatures(message, SECP256K1_PROGRAM) +
    precompileSignatures(message, SECP256R1_PROGRAM);
  const { computeUnitLimit, microLamportsPerUnit } = computeBudget(message);
  const priority = (microLamportsPerUnit * BigInt(computeUnitLimit) + 999_999n) / 1_000_000n;
  const fee = BigInt(signatures) * LAMPORTS_PER_SIGNATURE + priority;
  return fee > 0xffff_ffff_ffff_ffffn ? 0xffff_ffff_ffff_ffffn : fee;
}

/** Block cost units of an executed transaction, as `meta.costUnits` reports them. */
export function costUnits(
  message: Message,
  computeUnitsConsumed: bigint,
  loadedAccountsDataSize: number,
): bigint {
  const signatureCost =
    720 * message.requiredSignatures +
    2400 * precompileSignatures(message, ED25519_PROGRAM) +
    6690 * precompileSignatures(message, SECP256K1_PROGRAM) +
    4800 * precompileSignatures(message, SECP256R1_PROGRAM);
  let writeLocks = 0;
  message.accountKeys.forEach((_key, index) => {
    if (isWritableStatic(message, index)) writeLocks++;
  });
  let dataLength = 0;
  for (const lookup of message.lookups) writeLocks += lookup.writableIndexes.length;
  for (const instruction of message.instructions) dataLength += instruction.data.length;
  const pages = Math.ceil(loadedAccountsDataSize / 32_768);
  return (
    BigInt(signatureCost + 300 * writeLocks + Math.floor(dataLength / 4) + 8 * pages) + computeUnitsConsumed
  );
}
