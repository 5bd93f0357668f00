import { Keypair, type TransactionInstruction } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import {
  ALLOWED_IN_900_S,
  ed25519,
  pda,
  readingBytes,
  refusesWrongAccounts,
  signed,
  type TestMeter,
  TOKEN_2022_PROGRAM_ID,
  World,
} from './support.js';

const balanceOf = (world: World, meter: TestMeter) => world.balance(pda.tokenAccount(meter.owner.publicKey));

describe('submit_and_mint', () => {
  it('turns one signed reading into GRID', () => {
    const world = new World();
    const meter = world.newMeter();
    const result = world.must(world.batch([meter], { made: 1_000_000_000n, used: 250_000_000n }));
    expect(balanceOf(world, meter)).toBe(750_000_000n);
    expect(world.supply()).toBe(750_000_000n);
    expect(world.tokenConfig().minted).toBe(750_000_000n);
    expect(world.meter(meter)).toMatchObject({
      eligible: 750_000_000n,
      settled: 750_000_000n,
      minted: 750_000_000n,
    });
    expect(result.events.map(({ name }) => name)).toEqual([
      'MeterReadingSubmitted',
      'MeterBalanceSettled',
      'ProductionMinted',
    ]);
    expect(result.events[1]?.data).toMatchObject({ meter: meter.address, owner: meter.owner.publicKey });
    expect(result.events[1]?.data.new_tokens.toString()).toBe('750000000');
    expect(result.events[2]?.data).toMatchObject({
      meter: meter.address,
      owner_token_account: pda.tokenAccount(meter.owner.publicKey),
    });
    expect(result.events[2]?.data.total_minted.toString()).toBe('750000000');
  });

  it('takes five meters at once; those with nothing to mint are accepted without a mint', () => {
    const world = new World();
    const owner = world.user();
    const meters = [1, 2, 3].map(() => world.newMeter({ owner })).concat(world.newMeter());
    meters.push(world.newMeter({ owner: (meters[3] as TestMeter).owner }));
    const readings = meters.map((meter, i) =>
      world.next(meter, { made: i === 1 ? 0n : BigInt(1_000 * (i + 1)), used: 0n }),
    );
    const result = world.must(
      [
        ed25519(
          meters.map((meter, i) => signed(meter.key, readingBytes(readings[i] as (typeof readings)[0]))),
        ),
        world.submitAndMint(meters),
      ],
      [],
      { tables: [world.batchTable(meters)] },
    );
    expect(result.events.filter(({ name }) => name === 'MeterReadingSubmitted')).toHaveLength(5);
    expect(result.events.filter(({ name }) => name === 'ProductionMinted')).toHaveLength(4);
    expect(world.balance(pda.tokenAccount(owner.publicKey))).toBe(4_000n);
    expect(balanceOf(world, meters[4] as TestMeter)).toBe(9_000n);
    expect(world.supply()).toBe(13_000n);
  });

  it('keeps its logs below the 10,000 bytes at which a validator cuts them, at their longest', () => {
    const world = new World();
    const meters = [1, 2, 3, 4, 5].map(() => world.newMeter());
    world.setCap(1n);
    const result = world.must(world.batch(meters, { made: 10n ** 18n, used: 0n }), [], {
      tables: [world.batchTable(meters)],
    });
    expect(result.events.filter(({ name }) => name === 'EnergyHeld')).toHaveLength(5);
    expect(result.events.filter(({ name }) => name === 'ProductionMinted')).toHaveLength(5);
    expect(result.events.filter(({ name }) => name === 'MintDeferred')).toHaveLength(5);
    expect(Buffer.byteLength(result.logs.join(''))).toBeLessThan(10_000);
  });

  it('also mints what was settled before without being minted', () => {
    const world = new World();
    const meter = world.newMeter();
    world.accept(meter, { made: 100n, used: 0n });
    world.must([world.settle(meter)]);
    world.accept(meter, { made: 20n, used: 0n });
    world.must(world.batch([meter], { made: 3n, used: 0n }));
    expect(balanceOf(world, meter)).toBe(123n);
  });

  it('mints what counts and leaves held energy aside', () => {
    const world = new World();
    const meter = world.newMeter();
    world.must(world.batch([meter], { made: ALLOWED_IN_900_S + 5n, used: 0n }));
    expect(balanceOf(world, meter)).toBe(ALLOWED_IN_900_S);
    expect(world.meter(meter).held).toBe(5n);
  });

  it('mints nothing twice: a replay is refused', () => {
    const world = new World();
    const meter = world.newMeter();
    const batch = world.batch([meter]);
    world.must(batch);
    world.refused('SequenceNotHigher', batch);
  });

  it('is all or nothing: one bad reading refuses the batch', () => {
    const world = new World();
    const [a, b] = [world.newMeter(), world.newMeter()];
    const good = world.next(a);
    const bad = world.next(b, { sequence: 0n });
    world.refused('SequenceNotHigher', [
      ed25519([signed(a.key, readingBytes(good)), signed(b.key, readingBytes(bad))]),
      world.submitAndMint([a, b]),
    ]);
  });

  it('refuses a meter twice, also with two different readings', () => {
    const world = new World();
    const meter = world.newMeter();
    const first = world.next(meter);
    const second = { ...first, sequence: 2n, end: first.end + 1 };
    const signatures = ed25519([
      signed(meter.key, readingBytes(first)),
      signed(meter.key, readingBytes(second)),
    ]);
    world.refused('DuplicateMeter', [signatures, world.submitAndMint([meter, meter])]);
    const other = world.newMeter();
    const three = ed25519(
      [first, world.next(other), second].map((reading, i) =>
        signed(i === 1 ? other.key : meter.key, readingBytes(reading)),
      ),
    );
    world.refused('DuplicateMeter', [three, world.submitAndMint([meter, other, meter])]);
  });

  it('takes signature i for meter i and no other', () => {
    const world = new World();
    const [a, b] = [world.newMeter(), world.newMeter()];
    const [signatures] = world.batch([a, b]) as [TransactionInstruction];
    world.refused('KeyMismatch', [signatures, world.submitAndMint([b, a])]);
  });

  it('wants exactly one signature for each meter', () => {
    const world = new World();
    const [a, b] = [world.newMeter(), world.newMeter()];
    const [one] = world.batch([a]) as [TransactionInstruction];
    const [two] = world.batch([a, b]) as [TransactionInstruction];
    world.refused('SignatureCount', [one, world.submitAndMint([a, b])]);
    world.refused('SignatureCount', [two, world.submitAndMint([a])]);
    world.refused('SignatureMissing', [world.submitAndMint([a])]);
  });

  it('refuses a forged entry behind an honest one', () => {
    const world = new World();
    const [a, b] = [world.newMeter(), world.newMeter()];
    const entries = [a, b].map((meter) => signed(meter.key, readingBytes(world.next(meter))));
    const forged = ed25519(entries, {
      forge: (_, i) => (i === 0 ? { messageInstruction: 1, messageOffset: 16 + 96 } : {}),
    });
    world.refused(
      'SignatureOffsets',
      [ed25519(entries.slice(0, 1)), forged, world.submitAndMint([a, b])],
      [],
      {
        tables: [world.batchTable([a, b])],
      },
    );
  });

  it('wants one to five meters with three accounts each', () => {
    const world = new World();
    const meter = world.newMeter();
    const [signature] = world.batch([meter]) as [TransactionInstruction];
    const accounts = world.batchAccounts(meter);
    const refused = (remaining: typeof accounts) =>
      world.refused('BatchSize', [signature, world.submitAndMint([], {}, remaining)]);
    refused([]);
    refused(accounts.slice(0, 2));
    refused([...accounts, ...accounts.slice(0, 1)]);
    refused(Array.from({ length: 6 }, () => accounts).flat());
  });

  describe('accounts of each meter', () => {
    const attempt = (
      world: World,
      meter: TestMeter,
      change: (accounts: ReturnType<World['batchAccounts']>) => void,
    ) => {
      const [signature] = world.batch([meter]) as [TransactionInstruction];
      const accounts = world.batchAccounts(meter);
      change(accounts);
      return [signature, world.submitAndMint([], {}, accounts)];
    };
    const [METER, USER, TOKENS] = [0, 1, 2];
    type Meta = ReturnType<World['batchAccounts']>[0];

    it('have to be writable where they are written', () => {
      const world = new World();
      const meter = world.newMeter();
      for (const index of [METER, TOKENS]) {
        const instructions = attempt(world, meter, (accounts) => {
          (accounts[index] as Meta).isWritable = false;
        });
        world.refused('ConstraintMut', instructions);
      }
    });

    it("have to be the registry's", () => {
      const world = new World();
      const meter = world.newMeter();
      for (const [index, original] of [
        [METER, meter.address],
        [USER, pda.user(meter.owner.publicKey)],
      ] as const) {
        for (const pubkey of [
          world.forgedCopy(original),
          world.forgedCopy(original, TOKEN_2022_PROGRAM_ID),
        ]) {
          const instructions = attempt(world, meter, (accounts) => {
            (accounts[index] as Meta).pubkey = pubkey;
          });
          world.refused('IllegalOwner', instructions);
        }
      }
    });

    it('have to be of the right type', () => {
      const world = new World();
      const meter = world.newMeter();
      const put = (index: number, pubkey: Meta['pubkey']) =>
        attempt(world, meter, (accounts) => {
          (accounts[index] as Meta).pubkey = pubkey;
        });
      world.refused('AccountDataTooSmall', put(METER, pda.meterKey(meter.key.publicKey.toBytes())));
      world.refused('InvalidAccountData', put(USER, pda.config));
      world.refused('AccountDataTooSmall', put(METER, pda.user(meter.owner.publicKey)));
    });

    it('have to be those of the same owner', () => {
      const world = new World();
      const meter = world.newMeter();
      const thief = world.user();
      const put = (index: number, pubkey: Meta['pubkey']) =>
        attempt(world, meter, (accounts) => {
          (accounts[index] as Meta).pubkey = pubkey;
        });
      world.refused('UserMismatch', put(USER, pda.user(thief.publicKey)));
      world.refused('WrongTokenAccount', put(TOKENS, pda.tokenAccount(thief.publicKey)));
    });

    it('refuse the declared accounts in their place', () => {
      const world = new World();
      const meter = world.newMeter();
      const instructions = attempt(world, meter, (accounts) => {
        (accounts[TOKENS] as Meta).pubkey = pda.mint;
      });
      world.refused('ConstraintDuplicateMutableAccount', instructions);
    });
  });

  it('refuses a mint to a missing account, and accepts the meter without one while nothing is due', () => {
    const world = new World();
    const meter = world.newMeter({ owner: world.user({ tokenAccount: false }) });
    world.refused('TokenAccountUnusable', world.batch([meter]));
    world.must(world.batch([meter], { made: 0n }));
  });

  it('refuses an unverified owner, a suspended meter, and everything while paused', () => {
    const world = new World();
    const meter = world.newMeter();
    world.must([world.verifyUser(meter.owner.publicKey, false)], [world.registrar]);
    world.refused('UserNotVerified', world.batch([meter]));
    world.must([world.verifyUser(meter.owner.publicKey)], [world.registrar]);
    world.must([world.setStatus(meter, 1)], [world.registrar]);
    world.refused('MeterSuspended', world.batch([meter]));
    world.must([world.setPaused(true)], [world.upgradeAuthority]);
    world.refused('Paused', world.batch([meter]));
  });

  it('refuses wrong accounts', () => {
    const world = new World();
    const meter = world.newMeter();
    refusesWrongAccounts(world, 'registry', 'submit_and_mint', world.batch([meter]), [], {
      config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
      instructions: { other: 'InvalidArgument' },
      mint_authority: { other: 'WrongMintAuthority' },
      token_config: {
        other: 'WrongTokenConfig',
        copy: 'WrongTokenConfig',
        twin: 'WrongTokenConfig',
        readonly: 'ConstraintMut',
      },
      grid_mint: { other: 'WrongMint', copy: 'WrongMint', readonly: 'ConstraintMut' },
      energy_token_program: { other: 'WrongEnergyTokenProgram' },
      token_program: { other: 'ConstraintExecutable' },
    });
  });

  it("cannot be called with a stranger's look-alike of the programs", () => {
    const world = new World();
    const meter = world.newMeter();
    const [signature] = world.batch([meter]) as [TransactionInstruction];
    const stranger = Keypair.generate().publicKey;
    world.deploy(stranger, 'energy_token', Keypair.generate().publicKey);
    world.refused('WrongEnergyTokenProgram', [
      signature,
      world.submitAndMint([meter], { energy_token_program: stranger }),
    ]);
    world.refused('IncorrectProgramId', [
      signature,
      world.submitAndMint([meter], { token_program: stranger }),
    ]);
  });
});
