import { CLASSIC_TOKEN_PROGRAM_ID, GRID_TOKEN_PROGRAM_ID } from '@gridtokenx/chain';
import { Keypair, type PublicKey, SystemProgram } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { isUsableBy } from './preflight.js';

const owner = Keypair.generate().publicKey;

/** A token account as SPL Token lays it out, with what Token-2022 puts behind. */
function account(
  over: { state?: number; owner?: PublicKey; program?: PublicKey; behind?: number[]; length?: number } = {},
) {
  const data = Buffer.alloc(165);
  (over.owner ?? owner).toBuffer().copy(data, 32);
  data[108] = over.state ?? 1;
  const whole = Buffer.concat([data, Buffer.from(over.behind ?? [])]);
  return {
    data:
      over.length === undefined
        ? whole
        : Buffer.concat([whole, Buffer.alloc(over.length)]).subarray(0, over.length),
    owner: over.program ?? GRID_TOKEN_PROGRAM_ID,
    executable: false,
    lamports: 1,
  };
}

/** Type 2 (account), then extensions: type u16, length u16, value. */
const extended = (...extensions: [type: number, value: number[]][]) => [
  2,
  ...extensions.flatMap(([type, value]) => [type, 0, value.length, 0, ...value]),
];

describe('whether tokens can go to an account', () => {
  it.each([
    ['a plain one', account(), true],
    ['with an owner that never changes', account({ behind: extended([7, []]) }), true],
    ['with a guard against other programs', account({ behind: extended([7, []], [11, [1]]) }), true],
    ['that once asked for memos', account({ behind: extended([8, [0]]) }), true],
    ['with padding', account({ behind: [...extended([7, []]), 0, 0, 0, 0, 0] }), true],
    ['none', null, false],
    ['frozen', account({ state: 2 }), false],
    ['not initialised', account({ state: 0 }), false],
    ['given away', account({ owner: Keypair.generate().publicKey }), false],
    ['of another token program', account({ program: CLASSIC_TOKEN_PROGRAM_ID }), false],
    ['lamports that somebody sent', account({ program: SystemProgram.programId, length: 0 }), false],
    ['too short', account({ length: 164 }), false],
    ['that asks for memos', account({ behind: extended([8, [1]]) }), false],
    ['with an extension that nobody knows', account({ behind: extended([99, [1]]) }), false],
    ['a mint', account({ behind: [1, 7, 0, 0, 0] }), false],
    ['with a list that is cut off', account({ behind: extended([11, [1]]).slice(0, -1) }), false],
    ['a multisig', account({ behind: [2], length: 355 }), false],
  ])('%s', (_what, candidate, usable) => {
    expect(isUsableBy(candidate, GRID_TOKEN_PROGRAM_ID, owner)).toBe(usable);
  });
});
