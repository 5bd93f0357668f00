/*
 * The cost of each instruction against the committed table: a rise of more than 5 percent fails. After a change that
 * is worth its cost (or that saves some), `GTX_UPDATE=1 npx vitest run programs/tests/compute-units` writes the table
 * anew, and `node programs/scripts/docs.mjs` carries it into the documentation.
 */
import type { Keypair, TransactionInstruction } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { type Cost, expectCosts, sortedCosts } from './costs.js';
import {
  ALLOWED_IN_900_S,
  bn,
  call,
  OWN_IDS,
  pda,
  type Result,
  registryIdl,
  type TestMeter,
  TOKEN_2022_PROGRAM_ID,
  tokenIdl,
  World,
} from './support.js';

function measure(): Record<string, Cost> {
  const costs: Record<string, Cost> = {};
  const world = new World({ bare: true, seed: 'compute-units' });
  const admin = world.upgradeAuthority;

  /** Sends, and books the last instruction under a name. */
  const take = (
    name: string,
    instructions: TransactionInstruction[],
    signers: Keypair[] = [],
    options: Parameters<World['must']>[2] = {},
  ): Result => {
    const result = world.must(instructions, signers, options);
    costs[name] = {
      computeUnits: result.units.at(-1) as number,
      accounts: instructions.at(-1)?.keys.length as number,
      transactionBytes: result.bytes,
    };
    return result;
  };

  take('energy_token.initialize', [world.initializeToken()], [admin]);
  take('registry.initialize', [world.initializeRegistry()], [admin]);

  const wallet = world.key();
  world.fund(wallet.publicKey);
  take('registry.register_user', [world.registerUser(wallet.publicKey)], [wallet]);
  take('registry.verify_user', [world.verifyUser(wallet.publicKey)], [world.registrar]);
  const id = new Uint8Array(32);
  id.set(Buffer.from('MTR-001'));
  const key = world.key();
  take(
    'registry.register_meter',
    [
      world.consent(key, id, wallet.publicKey),
      world.registerMeter({ id, key: key.publicKey, owner: wallet.publicKey }),
    ],
    [wallet, world.registrar],
  );

  const meters: TestMeter[] = [1, 2, 3, 4, 5].map(() => world.newMeter());
  const [meter, other] = meters as [TestMeter, TestMeter];
  const reading = (change: Parameters<World['next']>[1] = {}) => {
    const next = world.next(meter, change);
    const instructions = world.reading(meter, next);
    meter.last = next;
    return instructions;
  };
  take('registry.submit_meter_reading', reading());
  take('registry.get_unsettled_balance', [world.getUnsettled(meter)]);
  take('registry.settle_meter_balance', [world.settle(meter)]);
  world.accept(meter);
  const minted = take('registry.settle_and_mint_tokens', [world.settleAndMint(meter)]);
  costs['energy_token.mint_from_production'] = {
    computeUnits: minted.innerUnits[0] as number,
    accounts: 5,
    transactionBytes: 0,
  };
  take('registry.submit_meter_reading, energy held', reading({ made: ALLOWED_IN_900_S + 1n, used: 0n }));
  take(
    'registry.submit_meter_reading, energy joins a held one',
    (() => {
      for (const made of [2n, 3n, 4n]) world.must(reading({ made: ALLOWED_IN_900_S + made, used: 0n }));
      return reading({ made: ALLOWED_IN_900_S + 5n, used: 0n });
    })(),
  );
  take('registry.release_held', [world.review('release_held', meter, 1n + 2n)], [world.registrar]);
  take('registry.write_off_held', [world.review('write_off_held', meter, 2n + 2n)], [world.registrar]);
  for (const hold of world.meter(meter).holds.filter(({ amount }) => amount > 0n)) {
    world.must([world.review('release_held', meter, hold.sequence)], [world.registrar]);
  }
  world.must([world.settleAndMint(meter)]);

  const tables = [world.batchTable(meters)];
  for (const count of [1, 2, 3, 4, 5]) {
    const batch = meters.slice(0, count);
    const readings = batch.map((each) => world.next(each));
    take(`registry.submit_and_mint, ${count} ${count === 1 ? 'meter' : 'meters'}`, world.batch(batch), [], {
      tables,
    });
    batch.forEach((each, i) => {
      each.last = readings[i] as TestMeter['last'];
    });
  }

  const newKey = world.key();
  take(
    'registry.rotate_meter_key',
    [world.consent(newKey, other.id, other.owner.publicKey), world.rotate(other, newKey.publicKey)],
    [other.owner, world.registrar],
  );
  world.accept(meter);
  take(
    'registry.transfer_meter, something due',
    [world.consent(meter.key, meter.id, other.owner.publicKey), world.transfer(meter, other.owner.publicKey)],
    [meter.owner, world.registrar],
    {
      tables: [
        world.lookupTable(world.transfer(meter, other.owner.publicKey).keys.map(({ pubkey }) => pubkey)),
      ],
    },
  );
  take('registry.set_meter_status', [world.setStatus(other, 1)], [world.registrar]);

  const tokenAccounts = {
    owner: meter.owner.publicKey,
    config: pda.tokenConfig,
    mint: pda.mint,
    token_account: pda.tokenAccount(meter.owner.publicKey),
    token_program: TOKEN_2022_PROGRAM_ID,
  };
  take('energy_token.burn', [call('token', 'burn', { amount: bn(1n) }, tokenAccounts)], [meter.owner]);
  const third = meters[2] as TestMeter;
  take(
    'energy_token.retire',
    [
      call(
        'token',
        'retire',
        { amount: bn(1n) },
        {
          ...tokenAccounts,
          owner: third.owner.publicKey,
          token_account: pda.tokenAccount(third.owner.publicKey),
          meter: third.address,
        },
      ),
    ],
    [third.owner],
  );
  take('energy_token.get_supply', [call('token', 'get_supply', {}, { config: pda.tokenConfig })]);

  const next = world.key();
  take('registry.set_registrar', [world.admin('set_registrar', { new_registrar: next.publicKey })], [admin]);
  take('registry.set_guardian', [world.admin('set_guardian', { new_guardian: next.publicKey })], [admin]);
  take(
    'registry.set_limits',
    [world.admin('set_limits', { max_rated_watts: 50_000, daily_mint_cap: bn(0n) })],
    [admin],
  );
  take('registry.set_meter_cap', [world.setMeterCap(third, 1n, admin.publicKey)], [admin]);
  take('energy_token.update_metadata', [world.updateMetadata('')], [admin]);
  take('registry.set_paused', [world.setPaused(true)], [admin]);
  take('registry.propose_admin', [world.admin('propose_admin', { new_admin: next.publicKey })], [admin]);
  take('registry.accept_admin', [world.acceptAdmin(next.publicKey)], [next]);
  return sortedCosts(costs);
}

describe('compute units', () => {
  const measured = measure();

  it('are within the goals', () => {
    expect(measured['registry.submit_meter_reading']?.computeUnits).toBeLessThanOrEqual(2_000);
    expect(measured['registry.settle_and_mint_tokens']?.computeUnits).toBeLessThanOrEqual(9_000);
  });

  it('are known for every instruction', () => {
    const names = [
      ...registryIdl.instructions.map(({ name }) => `registry.${name}`),
      ...tokenIdl.instructions.map(({ name }) => `energy_token.${name}`),
    ];
    const known = new Set(Object.keys(measured).map((name) => name.split(',')[0]));
    expect(names.filter((name) => !known.has(name))).toEqual([]);
  });

  it.skipIf(OWN_IDS)('have not risen by more than 5 percent over the committed table', () => {
    expectCosts('compute-units.json', measured);
  });

  it('leave room for five meters in one transaction', () => {
    expect(measured['registry.submit_and_mint, 5 meters']?.transactionBytes).toBeLessThanOrEqual(1_232);
  });
});
