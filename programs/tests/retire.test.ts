import type { PublicKey } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { bn, call, pda, REGISTRY, refusesWrongAccounts, TOKEN_2022_PROGRAM_ID, World } from './support.js';

function setup() {
  const world = new World();
  const meter = world.newMeter();
  world.must(world.batch([meter], { made: 1_000n, used: 0n }));
  const retire = (amount: bigint, accounts: Record<string, PublicKey> = {}) =>
    call(
      'token',
      'retire',
      { amount: bn(amount) },
      {
        owner: meter.owner.publicKey,
        config: pda.tokenConfig,
        mint: pda.mint,
        token_account: pda.tokenAccount(meter.owner.publicKey),
        token_program: TOKEN_2022_PROGRAM_ID,
        meter: meter.address,
        ...accounts,
      },
    );
  return { world, meter, retire };
}

describe('retire', () => {
  it("destroys tokens as consumption at the owner's meter, counted as burned too", () => {
    const { world, meter, retire } = setup();
    const result = world.must([retire(300n)], [meter.owner]);
    expect(world.supply()).toBe(700n);
    expect(world.tokenConfig()).toEqual({ minted: 1_000n, burned: 300n, retired: 300n });
    expect(result.events).toMatchObject([
      { name: 'EnergyRetired', data: { meter: meter.address, owner: meter.owner.publicKey } },
    ]);
    expect(result.events[0]?.data.total_retired.toString()).toBe('300');
  });

  it("refuses somebody else's meter, and what is no meter of the registry", () => {
    const { world, meter, retire } = setup();
    const other = world.newMeter();
    world.refused('NotMeterOwner', [retire(1n, { meter: other.address })], [meter.owner]);
    world.refused('WrongMeter', [retire(1n, { meter: pda.user(meter.owner.publicKey) })], [meter.owner]);
    // A writable account of this program cannot be named a second time.
    world.refused(
      'ConstraintDuplicateMutableAccount',
      [retire(1n, { meter: pda.tokenConfig })],
      [meter.owner],
    );
    const short = world.forgedCopy(meter.address);
    world.setAccount(short, REGISTRY, world.dataOf(meter.address).subarray(0, 71));
    world.refused('WrongMeter', [retire(1n, { meter: short })], [meter.owner]);
  });

  it('refuses zero and more than there is', () => {
    const { world, meter, retire } = setup();
    world.refused('ZeroAmount', [retire(0n)], [meter.owner]);
    world.refused('Custom(1)', [retire(1_001n)], [meter.owner]);
  });

  it('refuses a counter past its range', () => {
    const { world, meter, retire } = setup();
    world.patch(pda.tokenConfig, 24, 2n ** 64n - 1n);
    world.refused('ArithmeticOverflow', [retire(1n)], [meter.owner]);
  });

  it('refuses wrong accounts', () => {
    const { world, meter, retire } = setup();
    refusesWrongAccounts(world, 'token', 'retire', [retire(1n)], [meter.owner], {
      owner: { other: 'NotMeterOwner', unsigned: 'MissingRequiredSignature' },
      config: {
        other: 'AccountDataTooSmall',
        copy: 'IllegalOwner',
        twin: 'WrongConfig',
        readonly: 'ConstraintMut',
      },
      mint: { other: 'WrongMint', copy: 'WrongMint', readonly: 'ConstraintMut' },
      token_account: {
        other: 'IncorrectProgramId',
        copy: 'IncorrectProgramId',
        readonly: 'ConstraintMut',
      },
      token_program: { other: 'ConstraintExecutable' },
      meter: { other: 'WrongMeter', copy: 'WrongMeter' },
    });
  });
});
