/* Registry and energy-token: users, meters, readings, settlement, reviews, roles, burning. */
import { createBurnInstruction } from '@solana/spl-token';
import { Keypair, PublicKey, SystemProgram } from '@solana/web3.js';
import {
  bn,
  call,
  ed25519,
  meterIdBytes,
  pda,
  type Reading,
  readingBytes,
  type Signed,
  signed,
  type TestMeter,
} from '../support.js';
import type { Action, Attempt, Stage } from './engine.js';
import {
  amountIn,
  anybody,
  config,
  doer,
  fitted,
  gridAccountFor,
  gridProgram,
  has,
  one,
  role,
} from './helpers.js';
import { allowedRise, type Shadow, type SignedReading } from './ledger.js';
import type { Random } from './random.js';
import { keyNamed, RATED_WATTS } from './world.js';

const CONFIG = 'registry.Config';
const registrar = (stage: Stage) => role(stage, CONFIG, 'registrar');
const admin = (stage: Stage) => role(stage, CONFIG, 'admin');

/** A meter as the helpers of the tests want it, as it is now. */
interface Current {
  test: TestMeter;
  shadow: Shadow;
}
function meters(stage: Stage): Current[] {
  return stage.world.meters.flatMap((test) => {
    const shadow = stage.ledger.get(test.address.toBase58(), 'registry.Meter');
    if (!shadow) return [];
    // Owner and key may have changed.
    const owner = { publicKey: keyNamed(shadow.fields.owner) } as Keypair;
    const key = stage.world.keyOfMeter(shadow) ?? test.key;
    return [{ test: { ...test, owner, key }, shadow }];
  });
}
const pickMeter = (stage: Stage, random: Random): Current | undefined => random.pick(meters(stage));
const userOf = (stage: Stage, wallet: PublicKey) =>
  stage.ledger.get(pda.user(wallet).toBase58(), 'registry.User');

/** The meter's next reading, nearly always one that counts. */
function nextReading(stage: Stage, random: Random, { shadow }: Current): Reading | undefined {
  const { fields: meter } = shadow;
  const now = stage.world.now();
  const latest = now + 120;
  if (latest <= meter.last_end) return undefined;
  const soonest = meter.last_end + 1;
  const end = random.chance(85) ? Math.max(soonest, now) : random.between(soonest, latest);
  const most = allowedRise(meter.rated_watts, end - meter.last_end);
  const made = random.chance(12) ? most * 2n + 5n : random.chance(8) ? 0n : random.amount(most);
  const used = random.chance(30) ? 0n : random.amount(made / 2n + 1n);
  const least = made > used ? made - used : 0n;
  const surplus = least + (made > least ? random.amount(made - least + 1n) - 1n : 0n);
  return {
    flags: random.below(8),
    sequence: (meter.last_sequence as bigint) + (random.chance(90) ? 1n : random.amount(1_000_000n)),
    start: meter.last_end,
    end,
    produced: meter.produced_total + made,
    consumed: meter.consumed_total + used,
    surplus: meter.surplus_total + surplus,
  };
}

const noted = ({ test }: Current, reading: Reading): SignedReading => ({
  meter: test.address.toBase58(),
  sequence: reading.sequence,
  start: reading.start,
  end: reading.end,
  produced: reading.produced,
  consumed: reading.consumed,
  surplus: reading.surplus,
});

const forgery = 'only a meter’s own fresh signature counts';

/** A reading that no meter signed so, in all ways that come to mind. */
function forged(stage: Stage, random: Random, meter: Current, reading: Reading): Attempt | undefined {
  const { world } = stage;
  const { test } = meter;
  const message = readingBytes(reading);
  const good = signed(test.key, message);
  const submit = world.submit(test);
  const attack = (entries: Signed[], options: Parameters<typeof ed25519>[1] = {}): Attempt => ({
    instructions: [ed25519(entries, options), submit],
    attack: forgery,
    alone: true,
  });
  const eve = signed(world.eve, message);
  switch (random.below(9)) {
    case 0:
      return attack([eve]);
    case 1: {
      const bent = Uint8Array.from(good.signature);
      bent[random.below(64)] = (bent[random.below(64)] as number) ^ (1 << random.below(8));
      return Buffer.from(bent).equals(Buffer.from(good.signature))
        ? undefined
        : attack([{ ...good, signature: bent }]);
    }
    case 2:
      // The meter's key beside a message that Eve signed.
      return attack([eve, good], { count: 1 });
    case 3:
      // Offsets that verify one message and show another.
      return attack([{ ...eve, key: eve.key }], {
        forge: () => ({ keyInstruction: random.below(3), messageInstruction: random.below(3) }),
      });
    case 4:
      return attack([
        signed(test.key, readingBytes({ ...reading, produced: reading.produced + 1n }, 'GTXA')),
      ]);
    case 5: {
      const other = random.pick(meters(stage));
      // Another meter's reading.
      return other && other.test.address !== test.address
        ? attack([signed(other.test.key, message)])
        : undefined;
    }
    case 6: {
      const old = random.pick(world.accepted);
      // Once accepted, never again: not for its meter, nor for another.
      return old
        ? {
            instructions: [
              ed25519([signed(old.key, old.message)]),
              world.submit({ ...old.meter, owner: ownerOf(stage, old.meter) }),
            ],
            attack: forgery,
            alone: true,
          }
        : undefined;
    }
    case 7:
      // Without any signature before it, and with the signature after it.
      return random.chance(50)
        ? { instructions: [submit], attack: forgery, alone: true }
        : { instructions: [submit, ed25519([good])], attack: forgery, alone: true };
    default: {
      const reread = [
        { ...reading, sequence: meter.shadow.fields.last_sequence as bigint },
        { ...reading, sequence: reading.sequence + 1_000_001n },
        { ...reading, end: stage.world.now() + 121 },
        { ...reading, end: meter.shadow.fields.last_end as number },
        { ...reading, start: reading.end },
        { ...reading, surplus: reading.produced + 1n },
        { ...reading, produced: meter.shadow.fields.produced_total - 1n },
      ];
      const wrong = random.pick(reread) as Reading;
      if (wrong.produced < 0n) return undefined;
      return attack([signed(test.key, readingBytes(wrong))]);
    }
  }
}
const ownerOf = (stage: Stage, meter: TestMeter): Keypair => {
  const owner = stage.ledger.get(meter.address.toBase58())?.fields.owner as string;
  return { publicKey: keyNamed(owner) } as Keypair;
};

function note(stage: Stage, meter: Current, reading: Reading): void {
  const { accepted } = stage.world;
  accepted.push({ meter: meter.test, message: readingBytes(reading), key: meter.test.key });
  if (accepted.length > 20) accepted.shift();
}

const review = (name: 'release_held' | 'write_off_held') => (stage: Stage, random: Random) => {
  const holding = meters(stage).filter(({ shadow }) => shadow.fields.held > 0n);
  const meter = random.chance(90) ? random.pick(holding) : pickMeter(stage, random);
  if (!meter) return undefined;
  const slots = (meter.shadow.fields.holds as { sequence: bigint; amount: bigint }[]).filter(
    ({ amount }) => amount > 0n,
  );
  const { who, more } = doer(stage, random, random.chance(50) ? registrar(stage) : admin(stage));
  const sequence = random.pick(slots)?.sequence ?? 3n;
  return one(stage.world.review(name, meter.test, sequence, who), more);
};

const settle = (stage: Stage, random: Random, owed: (fields: Shadow['fields']) => boolean) =>
  random.chance(90)
    ? random.pick(meters(stage).filter(({ shadow }) => owed(shadow.fields) && shadow.fields.status !== 1))
    : pickMeter(stage, random);

export const registryActions: readonly Action[] = [
  {
    name: 'register a user',
    weight: 2,
    attempt: (stage, random) => {
      const { world } = stage;
      const missing = world.wallets.filter(({ publicKey }) => !userOf(stage, publicKey));
      const wallet = random.chance(80) ? random.pick(missing) : anybody(stage, random);
      return wallet && one(world.registerUser(wallet.publicKey));
    },
  },
  {
    name: 'verify a user',
    weight: 3,
    attempt: (stage, random) => {
      const unverified = stage.world.wallets.filter(
        ({ publicKey }) => userOf(stage, publicKey)?.fields.verified === 0,
      );
      const verified = unverified.length > 0 || random.chance(60);
      const wallet = (verified && random.pick(unverified)) || anybody(stage, random);
      const { who, more } = doer(stage, random, registrar(stage));
      return one(stage.world.verifyUser(wallet.publicKey, verified, { registrar: who }), more);
    },
  },
  {
    name: 'register a meter',
    weight: 2,
    attempt: (stage, random) => {
      const { world } = stage;
      if (world.meters.length >= 7) return undefined;
      const { publicKey: owner } = anybody(stage, random);
      const used = random.chance(15) ? random.pick(world.meters) : undefined;
      const [key, id] = [
        used?.key ?? world.key(),
        meterIdBytes(`F-${world.meters.length}-${random.below(1_000_000)}`),
      ];
      const consenting = random.chance(10) ? world.eve : key;
      const { who, more } = doer(stage, random, registrar(stage));
      const watts = random.chance(90)
        ? random.between(1, config(stage, CONFIG).max_rated_watts)
        : RATED_WATTS + 1;
      return {
        instructions: [
          world.consent(consenting, id, owner),
          world.registerMeter({ id, key: key.publicKey, owner, watts }, { registrar: who }),
        ],
        ...more,
        ...(used ? { attack: 'a key is used once' } : {}),
        ...(consenting === world.eve ? { attack: forgery } : {}),
        done: () => {
          world.meters.push({
            id,
            address: pda.meter(id),
            key,
            owner: Keypair.generate(),
            last: {} as Reading,
          });
          world.meterKeys.set(key.publicKey.toBase58(), key);
        },
      };
    },
  },
  {
    name: 'rotate a key',
    weight: 2,
    attempt: (stage, random) => {
      const { world } = stage;
      const meter = pickMeter(stage, random);
      if (!meter) return undefined;
      const { test } = meter;
      const old = random.chance(15)
        ? (random.pick([...world.meterKeys.values(), test.key]) as Keypair)
        : undefined;
      const key = old ?? world.key();
      const { who, more } = doer(stage, random, registrar(stage));
      return {
        instructions: [
          world.consent(key, test.id, test.owner.publicKey),
          world.rotate(test, key.publicKey, { registrar: who }),
        ],
        ...more,
        ...(old ? { attack: 'a key is used once' } : {}),
        done: () => {
          world.meterKeys.set(test.key.publicKey.toBase58(), test.key);
          world.meterKeys.set(key.publicKey.toBase58(), key);
        },
      };
    },
  },
  {
    name: 'transfer a meter',
    weight: 3,
    attempt: (stage, random) => {
      const { world } = stage;
      const free = meters(stage).filter(
        ({ shadow }) => shadow.fields.held === 0n && shadow.fields.status !== 1,
      );
      const meter = random.chance(85) ? random.pick(free) : pickMeter(stage, random);
      const to = random.pick(world.wallets.filter(({ publicKey }) => userOf(stage, publicKey)))?.publicKey;
      if (!meter || !to || meter.test.owner.publicKey.equals(to)) return undefined;
      const { test } = meter;
      const { who, more } = doer(stage, random, registrar(stage));
      // A consent to somebody else is none.
      const named = random.chance(92) ? to : world.eve.publicKey;
      return {
        instructions: [
          gridAccountFor(stage, test.owner.publicKey),
          world.consent(test.key, test.id, named),
          world.transfer(test, to, { registrar: who }),
        ],
        ...more,
        ...(named === to ? {} : { attack: forgery }),
      };
    },
  },
  {
    name: 'suspend or activate a meter',
    weight: 2,
    attempt: (stage, random) => {
      const meter = pickMeter(stage, random);
      if (!meter) return undefined;
      const suspended = meter.shadow.fields.status === 1;
      const status = suspended ? 0 : random.chance(60) ? 1 : 0;
      const right = status === 1 && random.chance(30) ? role(stage, CONFIG, 'guardian') : registrar(stage);
      const { who, more } = doer(stage, random, right);
      return one(stage.world.setStatus(meter.test, status, who), more);
    },
  },
  {
    name: 'activate a suspended meter',
    weight: 8,
    attempt: (stage, random) => {
      const meter = random.pick(meters(stage).filter(({ shadow }) => shadow.fields.status === 1));
      return meter && one(stage.world.setStatus(meter.test, 0, registrar(stage)));
    },
  },
  {
    name: 'submit a reading',
    weight: 12,
    attempt: (stage, random) => {
      const meter = pickMeter(stage, random);
      const reading = meter && nextReading(stage, random, meter);
      if (!meter || !reading) return undefined;
      return {
        instructions: [
          ed25519([signed(meter.test.key, readingBytes(reading))]),
          stage.world.submit(meter.test),
        ],
        readings: [noted(meter, reading)],
        done: () => note(stage, meter, reading),
      };
    },
  },
  {
    name: 'forge a reading',
    weight: 5,
    attempt: (stage, random) => {
      const meter = pickMeter(stage, random);
      const reading = meter && nextReading(stage, random, meter);
      return meter && reading ? forged(stage, random, meter, reading) : undefined;
    },
  },
  {
    name: 'settle and mint readings',
    weight: 12,
    attempt: (stage, random) => {
      const { world } = stage;
      const all = meters(stage).filter(({ shadow }) => shadow.fields.status !== 1);
      const chosen = all.filter(() => random.chance(50)).slice(0, 4);
      const batch = chosen.flatMap((meter) => {
        const reading = nextReading(stage, random, meter);
        return reading ? [{ meter, reading }] : [];
      });
      if (batch.length === 0) return undefined;
      const swap = batch.length > 1 && random.chance(8);
      const entries = batch.map(({ meter, reading }) => signed(meter.test.key, readingBytes(reading)));
      const instruction = world.submitAndMint(batch.map(({ meter }) => meter.test));
      return {
        // Signature i is for meter i: in another order they are nobody's.
        instructions: [ed25519(swap ? [...entries].reverse() : entries), instruction],
        ...(swap
          ? { attack: forgery }
          : { readings: batch.map(({ meter, reading }) => noted(meter, reading)) }),
        done: () => {
          for (const { meter, reading } of batch) note(stage, meter, reading);
        },
      };
    },
  },
  {
    name: 'count a meter twice in a batch',
    weight: 1,
    attempt: (stage, random) => {
      const meter = pickMeter(stage, random);
      const reading = meter && nextReading(stage, random, meter);
      if (!meter || !reading) return undefined;
      const entry = signed(meter.test.key, readingBytes(reading));
      return {
        instructions: [ed25519([entry, entry]), stage.world.submitAndMint([meter.test, meter.test])],
        attack: 'a batch holds each meter once',
        alone: true,
      };
    },
  },
  {
    name: 'settle',
    weight: 4,
    attempt: (stage, random) => {
      const meter = settle(stage, random, (fields) => fields.eligible > fields.settled);
      return meter && one(stage.world.settle(meter.test));
    },
  },
  {
    name: 'settle and mint',
    weight: 6,
    attempt: (stage, random) => {
      const meter = settle(stage, random, (fields) => fields.eligible > fields.minted);
      return meter && one(stage.world.settleAndMint(meter.test));
    },
  },
  {
    name: 'mint to somebody else',
    weight: 2,
    attempt: (stage, random) => {
      const meter = settle(stage, random, (fields) => fields.eligible > fields.minted);
      if (!meter) return undefined;
      const thief = stage.world.eve.publicKey;
      return one(stage.world.settleAndMint(meter.test, { owner_token_account: pda.tokenAccount(thief) }), {
        attack: "what is minted goes to the meter's owner",
      });
    },
  },
  {
    name: 'mint without the registry',
    weight: 1,
    attempt: (stage, random) => {
      const meter = pickMeter(stage, random);
      if (!meter) return undefined;
      return one(
        call(
          'token',
          'mint_from_production',
          { meter: meter.test.address, amount: bn(random.amount(1_000_000_000n)) },
          {
            mint_authority: random.chance(50) ? stage.world.eve.publicKey : admin(stage),
            config: pda.tokenConfig,
            mint: pda.mint,
            destination: pda.tokenAccount(stage.world.eve.publicKey),
            token_program: gridProgram(stage),
          },
        ),
        { attack: 'only the registry mints', alone: true },
      );
    },
  },
  {
    name: 'ask what is unsettled',
    weight: 1,
    attempt: (stage, random) => {
      const meter = pickMeter(stage, random);
      return meter && one(stage.world.getUnsettled(meter.test), { certain: 'anybody may ask' });
    },
  },
  { name: 'release held energy', weight: 3, attempt: review('release_held') },
  { name: 'write held energy off', weight: 2, attempt: review('write_off_held') },
  {
    name: 'pause the registry',
    weight: 1,
    attempt: (stage, random) => {
      const { who, more } = doer(
        stage,
        random,
        role(stage, CONFIG, random.chance(50) ? 'guardian' : 'admin'),
      );
      return one(stage.world.setPaused(true, who), more);
    },
  },
  {
    name: 'resume the registry',
    weight: 25,
    attempt: (stage, random) => {
      if (config(stage, CONFIG).paused === 0) return undefined;
      const guardian = role(stage, CONFIG, 'guardian');
      if (random.chance(10) && !guardian.equals(admin(stage)))
        return one(stage.world.setPaused(false, guardian), { attack: 'a guardian only pauses' });
      const { who, more } = doer(stage, random, admin(stage));
      return one(stage.world.setPaused(false, who), more);
    },
  },
  {
    name: "set one of the registry's roles or limits",
    weight: 3,
    attempt: (stage, random) => {
      const someone = anybody(stage, random).publicKey;
      const { who, more } = doer(stage, random, admin(stage));
      const accounts = { admin: who, config: pda.config };
      const choice = random.below(4);
      if (choice === 0)
        return one(fitted('registry', 'set_registrar', { new_registrar: someone }, accounts), more);
      if (choice === 1)
        return one(fitted('registry', 'set_guardian', { new_guardian: someone }, accounts), more);
      if (choice === 2)
        return one(fitted('registry', 'propose_admin', { new_admin: someone }, accounts), more);
      const limits = {
        max_rated_watts: RATED_WATTS,
        daily_mint_cap: bn(random.chance(60) ? 0n : random.amount(10n ** 11n)),
      };
      return one(fitted('registry', 'set_limits', limits, accounts), more);
    },
  },
  {
    name: 'take the registry over',
    weight: 1,
    attempt: (stage, random) => {
      const pending = keyNamed(config(stage, CONFIG).pending_admin);
      if (pending.equals(PublicKey.default)) return undefined;
      const { who, more } = doer(stage, random, pending);
      return one(stage.world.acceptAdmin(who), more);
    },
  },
  {
    name: 'cap a meter',
    weight: has('registry', 'set_meter_cap') ? 2 : 0,
    attempt: (stage, random) => {
      const meter = pickMeter(stage, random);
      if (!meter) return undefined;
      const { who, more } = doer(stage, random, registrar(stage));
      const cap = random.chance(50) ? 0n : random.amount(10n ** 11n);
      return one(
        fitted(
          'registry',
          'set_meter_cap',
          { daily_mint_cap: bn(cap) },
          { authority: who, config: pda.config, meter: meter.test.address },
        ),
        more,
      );
    },
  },
  {
    name: 'initialise again',
    weight: 1,
    attempt: (stage, random) => {
      const { world } = stage;
      const more = { attack: 'nothing is initialised twice', alone: true };
      switch (random.below(4)) {
        case 0:
          return one(world.initializeRegistry(), more);
        case 1:
          return one(world.initializeToken(), more);
        case 2:
          return one(world.initializeOracle(), more);
        default:
          return one(world.createMarket(), more);
      }
    },
  },

  // --- energy-token
  {
    name: 'burn',
    weight: 3,
    attempt: (stage, random) => {
      const { publicKey: owner } = anybody(stage, random);
      const held = amountIn(stage, pda.tokenAccount(owner));
      if (held === 0n && random.chance(90)) return undefined;
      return one(
        call(
          'token',
          'burn',
          { amount: bn(random.chance(90) ? random.amount(held / 10n + 1n) : held + 1n) },
          {
            owner,
            config: pda.tokenConfig,
            mint: pda.mint,
            token_account: pda.tokenAccount(owner),
            token_program: gridProgram(stage),
          },
        ),
      );
    },
  },
  {
    name: 'retire as consumed',
    weight: 3,
    attempt: (stage, random) => {
      const meter = pickMeter(stage, random);
      if (!meter) return undefined;
      const { who, more } = doer(stage, random, meter.test.owner.publicKey);
      const held = amountIn(stage, pda.tokenAccount(who));
      if (held === 0n && !more.attack) return undefined;
      return one(
        call(
          'token',
          'retire',
          { amount: bn(random.amount(held / 10n + 1n)) },
          {
            owner: who,
            config: pda.tokenConfig,
            mint: pda.mint,
            token_account: pda.tokenAccount(meter.test.owner.publicKey),
            meter: meter.test.address,
            token_program: gridProgram(stage),
          },
        ),
        more,
      );
    },
  },
  {
    name: 'ask for the supply',
    weight: 1,
    attempt: () =>
      one(call('token', 'get_supply', {}, { config: pda.tokenConfig }), { certain: 'anybody may ask' }),
  },
  {
    name: 'write the metadata',
    weight: has('token', 'update_metadata') ? 1 : 0,
    attempt: (stage, random) => {
      const { who, more } = doer(stage, random, admin(stage));
      const write = fitted(
        'token',
        'update_metadata',
        { uri: `https://example.com/${random.below(1_000)}` },
        {
          admin: who,
          registry_config: pda.config,
          config: pda.tokenConfig,
          mint: pda.mint,
          token_program: gridProgram(stage),
        },
      );
      // A longer text needs more rent, which whoever wants it pays.
      const rent = SystemProgram.transfer({
        fromPubkey: stage.world.payer.publicKey,
        toPubkey: pda.mint,
        lamports: 500_000,
      });
      return { instructions: random.chance(85) ? [rent, write] : [write], ...more };
    },
  },
  {
    name: "burn without energy-token's knowledge",
    weight: 1,
    attempt: (stage, random) => {
      const { publicKey: owner } = anybody(stage, random);
      const held = amountIn(stage, pda.tokenAccount(owner));
      if (held === 0n) return undefined;
      const amount = random.amount(held / 20n + 1n);
      return {
        instructions: [
          createBurnInstruction(pda.tokenAccount(owner), pda.mint, owner, amount, [], gridProgram(stage)),
        ],
        direct: new Map([[owner.toBase58(), { grid: -amount, grx: 0n }]]),
        burnedDirectly: amount,
        alone: true,
      };
    },
  },
];
