import anchor from '@coral-xyz/anchor';
import {
  CLASSIC_TOKEN_PROGRAM_ID,
  certificates,
  energyToken,
  GRID_TOKEN_PROGRAM_ID,
  governance,
  oracle,
  registry,
  trading,
} from './programs.js';

/** The token programs' errors (`TokenError`; both begin with these), in order of their codes. */
const TOKEN_ERRORS = [
  'NotRentExempt',
  'InsufficientFunds',
  'InvalidMint',
  'MintMismatch',
  'OwnerMismatch',
  'FixedSupply',
  'AlreadyInUse',
  'InvalidNumberOfProvidedSigners',
  'InvalidNumberOfRequiredSigners',
  'UninitializedState',
  'NativeNotSupported',
  'NonNativeHasBalance',
  'InvalidInstruction',
  'InvalidState',
  'Overflow',
  'AuthorityTypeNotSupported',
  'MintCannotFreeze',
  'AccountFrozen',
  'MintDecimalsMismatch',
  'NonNativeNotSupported',
];

/** Anchor's own errors lie below this, a program's from here on. */
const FIRST_PROGRAM_ERROR = 6000;

const FRAMEWORK_ERRORS = new Map<number, string>([
  ...Object.entries(anchor.LangErrorCode).map(([name, code]): [number, string] => [code, name]),
  // New in Anchor 2: the same account passed twice where one of them is written.
  [2040, 'ConstraintDuplicateMutableAccount'],
]);

/**
 * The name and text of a program's error code.
 * @param programId base58; when it is not known which program it was, the registry's names are used.
 */
export function programError(
  programId: string | undefined,
  code: number,
): { name: string; message: string } | undefined {
  if (programId === CLASSIC_TOKEN_PROGRAM_ID.toBase58() || programId === GRID_TOKEN_PROGRAM_ID.toBase58()) {
    const name = TOKEN_ERRORS[code];
    return name === undefined ? undefined : { name, message: `${name} (SPL Token)` };
  }
  const codecs = [registry, energyToken, trading, oracle, certificates, governance];
  const codec =
    programId === undefined
      ? registry
      : codecs.find((candidate) => candidate.programId.toBase58() === programId);
  if (!codec) return undefined;
  const own = codec.error(code);
  if (own) return own;
  const framework = code < FIRST_PROGRAM_ERROR ? FRAMEWORK_ERRORS.get(code) : undefined;
  return framework === undefined ? undefined : { name: framework, message: `${framework} (Anchor)` };
}
