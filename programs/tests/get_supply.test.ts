import { describe, expect, it } from 'vitest';
import { bn, call, pda, refusesWrongAccounts, TOKEN_2022_PROGRAM_ID, World } from './support.js';

const getSupply = () => call('token', 'get_supply', {}, { config: pda.tokenConfig });

describe('get_supply', () => {
  it('returns minted, burned and retired', () => {
    const world = new World();
    const meter = world.newMeter();
    world.must(world.batch([meter], { made: 1_000n, used: 0n }));
    const accounts = {
      owner: meter.owner.publicKey,
      config: pda.tokenConfig,
      mint: pda.mint,
      token_account: pda.tokenAccount(meter.owner.publicKey),
      token_program: TOKEN_2022_PROGRAM_ID,
    };
    world.must(
      [
        call('token', 'burn', { amount: bn(10n) }, accounts),
        call('token', 'retire', { amount: bn(7n) }, { ...accounts, meter: meter.address }),
      ],
      [meter.owner],
    );
    const { returned } = world.must([getSupply()]);
    expect([0, 8, 16].map((offset) => returned.readBigUInt64LE(offset))).toEqual([1_000n, 17n, 7n]);
  });

  it('refuses wrong accounts', () => {
    refusesWrongAccounts(new World(), 'token', 'get_supply', [getSupply()], [], {
      config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
    });
  });
});
