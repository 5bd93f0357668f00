/*
 * The world in which random instructions run: registry, energy-token, trading and oracle (and what else this build holds), with
 * wallets, meters, a market whose band follows a feed, and publishers. Transactions are not signed, which the virtual machine
 * is told not to look at; who signs is what the instructions say. Meters' signatures are real: the precompile checks them.
 */
import { type Keypair, PublicKey } from '@solana/web3.js';
import { CERTIFICATES, CertificatesWorld } from '../certificates.js';
import { GOV, GovernanceWorld, govPda, type TestProposal } from '../governance.js';
import { oraclePda, PlainFeed, SYMBOL } from '../oracle.js';
import { pda, type Result, type TestMeter } from '../support.js';
import { ONE, type TestOrder } from '../trading.js';
import { nameOf } from './accounts.js';
import type { Stage } from './engine.js';
import { hold, type Ledger, type Shadow } from './ledger.js';
import { Random } from './random.js';

/** Odd on purpose: every quote has a fraction. */
export const LOT = 250_000_001n;
export const TICK = 7n;
export const RATED_WATTS = 1_000_000;

/*
 * Deriving an address searches for one off the curve, which costs more than a transaction; sequences derive the same ones over
 * and over.
 */
const derived = new Map<string, [PublicKey, number]>();
const derive = PublicKey.findProgramAddressSync.bind(PublicKey);
PublicKey.findProgramAddressSync = (seeds, program) => {
  const name = [
    ...seeds.map((seed) => Buffer.from(seed).toString('latin1')),
    program.toBuffer().toString('latin1'),
  ].join('|');
  let found = derived.get(name);
  if (!found) {
    found = derive(seeds, program);
    derived.set(name, found);
  }
  return found;
};

const addresses = new Map<string, PublicKey>();
/** The address of this name, made once. */
export function keyNamed(name: string): PublicKey {
  let found = addresses.get(name);
  if (!found) {
    found = new PublicKey(name);
    addresses.set(name, found);
  }
  return found;
}

/** What holders of GOV find in a proposal's settings: short times, so that proposals live through a sequence. */
export const GOVERNANCE_SETTINGS = {
  proposal_deposit: 1_000n * GOV,
  voting_seconds: 300,
  timelock_seconds: 60,
  execution_seconds: 1_500,
  pause_seconds: 60,
  quorum_bps: 400,
  threshold_bps: 5_000,
};

export class FuzzWorld extends GovernanceWorld {
  /** Those who own, trade, and hold roles. */
  readonly wallets: Keypair[] = [];
  /** Somebody without any role, who only attacks. */
  readonly eve: Keypair;
  readonly meters: TestMeter[] = [];
  /** Readings that were accepted, to be tried again. */
  readonly accepted: { meter: TestMeter; message: Uint8Array; key: Keypair }[] = [];
  readonly orders: TestOrder[] = [];
  readonly proposals: TestProposal[] = [];
  /** This world with the helpers of certificates. */
  readonly certificates: CertificatesWorld;
  /** What a GRID costs outside; publishers observe it. */
  value = 3n * ONE;

  constructor(seed: string) {
    const random = new Random(`${seed}/world`);
    super({
      seed,
      policy: random.below(2),
      maxRatedWatts: RATED_WATTS,
      noMarket: false,
      noOracle: false,
      feed: oraclePda.feed(SYMBOL),
      bandBps: 3_000,
      feeBps: random.below(200),
      lotSize: LOT,
      tickSize: TICK,
      settings: GOVERNANCE_SETTINGS,
    });
    this.certificates = new Proxy(this as unknown as CertificatesWorld, {
      get: (target, name, proxy) =>
        Reflect.get(name in target ? target : CertificatesWorld.prototype, name, proxy),
    });
    this.unsigned = true;
    this.svm.withSigverify(false).withTransactionHistory(0n);
    this.eve = this.trader(0n, 100n * ONE);
    this.must([this.registerUser(this.eve.publicKey)]);
    for (let i = 0; i < 7; i++) {
      const wallet = this.trader(0n, 1_000n * ONE);
      this.wallets.push(wallet);
      if (i < 4) this.must([this.registerUser(wallet.publicKey)]);
      if (i < 4) this.must([this.verifyUser(wallet.publicKey)]);
    }
    for (let i = 0; i < 3; i++) {
      const owner = this.wallets[i] as Keypair;
      this.meters.push(this.newMeter({ owner, watts: random.between(100_000, RATED_WATTS) }));
    }
    this.must([
      this.setFeedSettings({ maxAgeSeconds: 900, guardSeconds: 1_800, maxDeviationBps: 2_000 }),
      this.createFeed({ symbol: 'USD/GRID' }),
    ]);
    this.agree(this.value);
    this.deploy(CERTIFICATES, 'certificates');
    this.must([this.certificates.initializeCertificates(this.guardian.publicKey)]);
    for (const { publicKey } of this.wallets) this.giveGov(publicKey, 50_000n * GOV);
    this.giveGov(this.eve.publicKey, 500n * GOV);
    // What proposals can pay out.
    this.fund(govPda.signer);
  }

  /** Any address that could be put in another's place. */
  pool(ledger: Ledger): PublicKey[] {
    return [...ledger.accounts.keys()].filter((name) => !name.startsWith('Token')).map(keyNamed);
  }

  /** A meter's key pair by its public key: rotations bring others. */
  readonly meterKeys = new Map<string, Keypair>();
  keyOfMeter(shadow: Shadow): Keypair | undefined {
    return (
      this.meterKeys.get(shadow.fields.public_key) ??
      this.meters.find(({ key }) => nameOf(key.publicKey) === shadow.fields.public_key)?.key
    );
  }

  /** Checks after a transaction what only its events and a model of the oracle can tell. */
  follow(stage: Stage, result: Result, before: ReadonlyMap<string, Shadow | undefined>): void {
    const name = nameOf(this.feedAddress);
    const old = before.get(name)?.fields;
    const submissions = result.events.filter((event) => event.name === 'PriceSubmitted');
    if (!old || submissions.length === 0) return;
    if (result.events.some((event) => event.name === 'FeedChanged')) return;
    const model = new PlainFeed(
      {
        maxAgeSeconds: old.max_age_seconds,
        guardSeconds: old.guard_seconds,
        maxDeviationBps: old.max_deviation_bps,
        minPublishers: old.min_publishers,
        overridePublishers: old.override_publishers,
      },
      [],
    );
    model.price = old.price;
    model.publishedAt = Number(old.published_at);
    model.acceptedAt = Number(old.accepted_at);
    model.reference = old.reference_price;
    model.referenceAt = Number(old.reference_at);
    model.paused = old.paused !== 0;
    for (const { publisher, price, observed_at } of old.submissions.slice(0, old.publisher_count)) {
      model.publishers.push(publisher);
      if (price > 0n) model.submissions.set(publisher, { price, observedAt: Number(observed_at) });
    }
    for (const { data } of submissions) {
      if (nameOf(data.feed) !== name) continue;
      const expected = model.submit(
        nameOf(data.publisher),
        BigInt(data.submitted.toString()),
        Number(data.observed_at.toString()),
        this.now(),
      );
      hold(
        'a price is what a plain model says',
        typeof expected === 'object' && expected.outcome === data.outcome,
        () => ({
          expected,
          data,
        }),
      );
    }
    const now = stage.ledger.get(name)?.fields;
    hold(
      'a price is what a plain model says',
      now?.price === model.price &&
        Number(now.published_at) === model.publishedAt &&
        now.reference_price === model.reference,
      () => ({
        now,
        model: { price: model.price, publishedAt: model.publishedAt, reference: model.reference },
      }),
    );
  }

  /** A wallet's GRID account. */
  gridAccount(wallet: PublicKey): PublicKey {
    return pda.tokenAccount(wallet);
  }
}
