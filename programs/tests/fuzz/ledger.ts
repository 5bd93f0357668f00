/*
 * What is on the chain, kept beside it, and what must be true of it after every transaction. A transaction can change only
 * accounts that it names as writable (the runtime sees to that): those are read again after each, and everything is read
 * again now and then. Three kinds of rules are checked: of the state itself (`books`), of each change with its events (`followEvents`), and
 * of who signed for it (`authorised`).
 */
import { address } from '@solana/kit';
import { PublicKey, type TransactionInstruction } from '@solana/web3.js';
import { govPda } from '../governance.js';
import { type ChainEvent, pda, program, type Result, type World } from '../support.js';
import { feeOf, quoteDown, quoteUp } from '../trading.js';
import { type Fields, fieldsOf, nameOf } from './accounts.js';

/** A rule that does not hold. */
export class Violation extends Error {
  constructor(
    readonly rule: string,
    detail: string,
  ) {
    super(`${rule}: ${detail}`);
  }
}

const show = (value: unknown): string =>
  JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? `${item}` : item)) ?? 'undefined';

/** An order taken directly: which, and where the taker wants what it traded for. */
interface Taking {
  readonly order: string;
  readonly destination: string;
}

/** Every `match_order` of a transaction, in its order: one order may be taken several times, each with another destination. */
function takingsOf({ instructions }: Executed): Taking[] {
  const definition = program('trading').idl.instructions.find(({ name }) => name === 'match_order');
  const place = (name: string) => definition?.accounts.findIndex((each) => each.name === name) as number;
  const [order, destination] = [place('order'), place('taker_destination')];
  return instructions
    .filter(({ data }) => data.subarray(0, 8).equals(Buffer.from(definition?.discriminator ?? [])))
    .map(({ keys }) => ({
      order: keys[order]?.pubkey.toBase58() ?? '',
      destination: keys[destination]?.pubkey.toBase58() ?? '',
    }));
}

/** Fails with the rule's name. `detail` is only worked out when it does. */
export function hold(rule: string, condition: boolean, detail: () => unknown): void {
  if (!condition) throw new Violation(rule, show(detail()));
}

export interface Shadow {
  key: string;
  owner: string;
  lamports: bigint;
  size: number;
  /** `token`, `mint`, `registry.Meter` and so on; `other` for what none of our programs nor the token programs own. */
  kind: string;
  fields: Fields;
}

const TOKEN_PROGRAMS = new Set([
  'TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA',
  'TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb',
]);
const ACCOUNT_BYTES = 165;

/** A reading that a meter's own key signed and that went into a transaction. */
export interface SignedReading {
  meter: string;
  sequence: bigint;
  start: number;
  end: number;
  produced: bigint;
  consumed: bigint;
  surplus: bigint;
}

/** A transaction, as the checks see it. */
export interface Executed {
  instructions: TransactionInstruction[];
  result: Result;
  /** Every key that signed. */
  signers: Set<string>;
  readings: SignedReading[];
  before: Map<string, Shadow | undefined>;
  /** Base units that were moved or destroyed by the token programs alone, by wallet: those moves have no events. */
  direct: Map<string, { grid: bigint; grx: bigint }>;
  /** GRID burned without energy-token's knowledge. */
  burnedDirectly: bigint;
}

interface OrderBook {
  amount: bigint;
  filled: bigint;
  price: bigint;
  side: number;
  feeBps: number;
  owner: string;
}

const MAX_ELAPSED = 366 * 86_400;

/** What a meter may count: rated power, and a tenth, over the elapsed time. */
export const allowedRise = (watts: number, elapsed: number): bigint =>
  (BigInt(watts) * BigInt(Math.min(elapsed, MAX_ELAPSED)) * 2_750n) / 9n;

const big = (value: unknown): bigint => BigInt(String(value));
const key = (value: unknown): string => nameOf(value as PublicKey);

export class Ledger {
  readonly accounts = new Map<string, Shadow>();
  readonly #byKind = new Map<string, Map<string, Shadow>>();
  readonly #rents = new Map<number, bigint>();
  readonly orders = new Map<string, OrderBook>();
  readonly gifts = new Map<string, bigint>();
  /** Keys that were ever a meter's. */
  readonly usedKeys = new Map<string, string>();
  /** Addresses of orders that are closed: nothing may come back there. */
  readonly closedOrders = new Set<string>();
  readonly writtenOff = new Map<string, bigint>();
  /** What each meter minted, by day. */
  readonly mintedOn = new Map<string, bigint>();
  burnedDirectly = 0n;

  constructor(
    readonly world: World,
    readonly grx: PublicKey,
  ) {}

  // --- reading

  rent(size: number): bigint {
    let rent = this.#rents.get(size);
    if (rent === undefined) {
      rent = this.world.svm.minimumBalanceForRentExemption(BigInt(size));
      this.#rents.set(size, rent);
    }
    return rent;
  }

  all(kind: string): Shadow[] {
    return [...(this.#byKind.get(kind)?.values() ?? [])];
  }

  get(name: string, kind?: string): Shadow | undefined {
    const found = this.accounts.get(name);
    return kind === undefined || found?.kind === kind ? found : undefined;
  }

  one(kind: string): Fields {
    const [found] = this.all(kind);
    if (!found) throw new Error(`no ${kind}`);
    return found.fields;
  }

  #parse(name: string, owner: string, data: Buffer, lamports: bigint): Shadow {
    const base = { key: name, owner, lamports, size: data.length };
    if (TOKEN_PROGRAMS.has(owner)) {
      const isAccount = data.length === ACCOUNT_BYTES || (data.length > ACCOUNT_BYTES && data[165] === 2);
      if (isAccount)
        return {
          ...base,
          kind: 'token',
          fields: {
            mint: nameOf(new PublicKey(data.subarray(0, 32))),
            owner: nameOf(new PublicKey(data.subarray(32, 64))),
            amount: data.readBigUInt64LE(64),
            state: data[108],
          },
        };
      if (data.length >= 82) return { ...base, kind: 'mint', fields: { supply: data.readBigUInt64LE(36) } };
    }
    const known = fieldsOf(new PublicKey(owner), data);
    if (known) return { ...base, kind: `${known.program}.${known.name}`, fields: known.fields };
    return { ...base, kind: 'other', fields: {} };
  }

  /** Reads an account again. */
  refresh(name: string): void {
    const found = this.world.svm.getAccount(address(name));
    const old = this.accounts.get(name);
    if (old) {
      this.accounts.delete(name);
      this.#byKind.get(old.kind)?.delete(name);
    }
    if (!found.exists) return;
    const shadow = this.#parse(name, found.programAddress, Buffer.from(found.data), found.lamports);
    this.#put(shadow);
  }

  #put(shadow: Shadow): void {
    this.accounts.set(shadow.key, shadow);
    const kind = this.#byKind.get(shadow.kind) ?? new Map<string, Shadow>();
    this.#byKind.set(shadow.kind, kind);
    kind.set(shadow.key, shadow);
  }

  /** Reads everything that our programs and the token programs own, and compares it with what is remembered. */
  readAll(programs: readonly PublicKey[], first = false): void {
    const seen = new Set<string>();
    for (const owner of [...programs.map(nameOf), ...TOKEN_PROGRAMS]) {
      for (const account of this.world.svm.getProgramAccounts(address(owner))) {
        const shadow = this.#parse(account.address, owner, Buffer.from(account.data), account.lamports);
        seen.add(shadow.key);
        if (first) this.#put(shadow);
        else {
          const known = this.accounts.get(shadow.key);
          hold('no account changes unnoticed', show(known) === show(shadow), () => ({ known, shadow }));
        }
      }
    }
    if (first) {
      for (const { fields } of this.all('registry.MeterKey'))
        this.usedKeys.set(fields.public_key, fields.meter);
      return;
    }
    for (const { key: name, kind } of this.accounts.values())
      hold('no account vanishes unnoticed', kind === 'other' || seen.has(name), () => name);
  }

  // --- what must be true of the state

  /** Rules of the state as it is. */
  books(): void {
    const grid = nameOf(pda.mint);
    const grx = nameOf(this.grx);
    const sums = new Map<string, bigint>([
      [grid, 0n],
      [grx, 0n],
    ]);
    for (const { fields, key: name } of this.all('token')) {
      const sum = sums.get(fields.mint);
      if (sum !== undefined) sums.set(fields.mint, sum + fields.amount);
      hold('a token account has no odd state', fields.state === 1 || fields.state === 2, () => name);
    }
    const supply = this.get(grid)?.fields.supply as bigint;
    const token = this.one('token.Config');
    hold(
      'GRID supply = minted - burned',
      supply === (token.total_minted as bigint) - (token.total_burned as bigint) - this.burnedDirectly,
      () => ({ supply, token, directly: this.burnedDirectly }),
    );
    hold('the sum of all GRID is its supply', sums.get(grid) === supply, () => [sums.get(grid), supply]);
    const quoteSupply = this.get(grx)?.fields.supply as bigint;
    hold('the sum of all GRX is its supply', sums.get(grx) === quoteSupply, () => [
      sums.get(grx),
      quoteSupply,
    ]);
    hold(
      'retired <= burned <= minted',
      token.total_retired <= token.total_burned && token.total_burned <= token.total_minted,
      () => token,
    );

    let minted = 0n;
    const metersOf = new Map<string, number>();
    for (const { fields: meter, key: name } of this.all('registry.Meter')) {
      minted += meter.minted;
      metersOf.set(meter.owner, (metersOf.get(meter.owner) ?? 0) + 1);
      hold(
        'minted <= settled <= eligible',
        meter.minted <= meter.settled && meter.settled <= meter.eligible,
        () => meter,
      );
      const held = (meter.holds as { amount: bigint }[]).reduce((sum, { amount }) => sum + amount, 0n);
      hold('held is the sum of its parts', held === meter.held, () => meter);
      // Everything that was measured is somewhere; new bases count nothing.
      hold(
        'eligible + held + written off <= measured',
        meter.eligible + meter.held + (this.writtenOff.get(name) ?? 0n) <= meter.basis,
        () => meter,
      );
      const bound = this.all('registry.MeterKey').filter(
        ({ fields }) => fields.meter === name && fields.active === 1,
      );
      hold(
        'a meter has one active key, its own',
        bound.length === 1 && bound[0]?.fields.public_key === meter.public_key,
        () => [name, bound],
      );
    }
    hold('what meters minted is what was minted', minted === token.total_minted, () => [minted, token]);
    for (const { fields: user } of this.all('registry.User'))
      hold(
        'a user knows how many meters it has',
        user.meters === (metersOf.get(user.wallet) ?? 0),
        () => user,
      );

    for (const shadow of this.all('trading.Order')) this.#order(shadow);
    for (const { fields: config } of this.all('certificates.Config'))
      hold('a pause is 0 or 1', config.paused === undefined || config.paused <= 1, () => config);
    this.#certificates();
    this.#governance();
    for (const shadow of this.accounts.values()) this.#rentAndOwner(shadow);
  }

  #order({ fields: order, key: name }: Shadow): void {
    const book = this.orders.get(name);
    hold('every order was told', book !== undefined, () => name);
    if (!book) return;
    hold('no order is filled over its amount', book.filled <= order.amount, () => ({ order, book }));
    hold(
      'what an order still offers = amount - filled',
      order.remaining === order.amount - book.filled,
      () => ({
        order,
        book,
      }),
    );
    const escrow = this.get(order.escrow, 'token');
    const gifts = this.gifts.get(name) ?? 0n;
    hold('escrow = what its order offers', escrow?.fields.amount === order.escrowed + gifts, () => ({
      order,
      escrow,
      gifts,
    }));
    hold('an escrow is its own authority', escrow?.fields.owner === order.escrow, () => escrow);
    const needed = order.side === 0 ? order.remaining : quoteUp(order.remaining, order.price);
    hold(
      'an escrow covers what its order offers',
      order.side === 0 ? order.escrowed === needed : order.escrowed >= needed,
      () => ({ order, needed }),
    );
  }

  #governance(): void {
    const [config] = this.all('governance.Config');
    if (!config) return;
    const { deposited, supply } = config.fields;
    const voters = new Map(
      this.all('governance.Voter').map(({ fields }) => [fields.wallet as string, fields]),
    );
    let sum = 0n;
    for (const { deposited: own } of voters.values()) sum += own;
    hold('what governance holds is what was deposited', sum === deposited, () => ({ sum, config }));
    const vault = this.get(govPda.vault.toBase58(), 'token')?.fields;
    hold('the vault holds what was deposited', vault?.amount >= deposited, () => ({ vault, config }));
    const mint = govPda.mint.toBase58();
    let all = 0n;
    for (const { fields } of this.all('token')) if (fields.mint === mint) all += fields.amount;
    hold('no GOV comes about or is lost', all === supply && this.get(mint)?.fields.supply === supply, () => [
      all,
      supply,
    ]);
    const locks = new Map<string, number>();
    const lock = (wallet: string) => locks.set(wallet, (locks.get(wallet) ?? 0) + 1);
    const votes = new Map<string, bigint[]>();
    for (const { fields: vote } of this.all('governance.Vote')) {
      lock(vote.wallet);
      hold('votes never over deposits', vote.weight <= (voters.get(vote.wallet)?.deposited ?? 0n), () => [
        vote,
        voters.get(vote.wallet),
      ]);
      const cast = votes.get(vote.proposal) ?? [0n, 0n, 0n];
      cast[vote.choice] = (cast[vote.choice] ?? 0n) + (vote.weight as bigint);
      votes.set(vote.proposal, cast);
    }
    for (const { fields: proposal, key: name } of this.all('governance.Proposal')) {
      if (proposal.status <= 1) lock(proposal.proposer);
      const cast = votes.get(name) ?? [0n, 0n, 0n];
      const told = [proposal.no, proposal.yes, proposal.abstain] as [bigint, bigint, bigint];
      const [no, yes, abstain] = told;
      // Votes are closed one by one once nobody votes any more.
      const open = proposal.status === 1 && proposal.voting_ends_at > BigInt(this.world.now());
      hold(
        'a proposal has the votes that were cast',
        told.every((sumOf, i) => (open ? sumOf === cast[i] : sumOf >= (cast[i] as bigint))),
        () => ({ proposal, cast }),
      );
      hold('votes never over deposits', no + yes + abstain <= supply, () => proposal);
      hold('no instruction is executed twice', proposal.executed <= proposal.instructions, () => proposal);
      if (proposal.status === 2 || proposal.status === 3) {
        hold('only with a quorum', no + yes + abstain >= proposal.quorum, () => proposal);
        hold(
          'only with a majority',
          yes * 10_000n > (yes + no) * BigInt(proposal.threshold_bps),
          () => proposal,
        );
      } else hold('only what passed is executed', proposal.executed === 0, () => proposal);
    }
    for (const [wallet, voter] of voters)
      hold('a deposit knows what holds it', voter.locks === (locks.get(wallet) ?? 0), () => [
        voter,
        locks.get(wallet),
      ]);
  }

  #certificates(): void {
    const books = this.all('certificates.Book');
    if (books.length === 0) return;
    const live = new Map<string, { sum: bigint; count: bigint; ranges: [bigint, bigint][] }>();
    const add = (name: string, from: bigint, to: bigint, counts: boolean) => {
      const all = live.get(name) ?? { sum: 0n, count: 0n, ranges: [] };
      if (counts) {
        all.sum += to - from;
        all.count += 1n;
      }
      all.ranges.push([from, to]);
      live.set(name, all);
    };
    for (const { fields } of this.all('certificates.Certificate'))
      add(fields.meter, fields.from_total, fields.to_total, true);
    for (const { fields } of this.all('certificates.Retirement'))
      add(fields.meter, fields.from_total, fields.to_total, false);
    for (const { fields: book } of books) {
      const meter = this.get(book.meter, 'registry.Meter')?.fields;
      hold('a book has a meter', meter !== undefined, () => book);
      hold('certified <= settled', book.certified_total <= (meter?.settled ?? 0n), () => ({ book, meter }));
      hold('certified + lapsed <= settled', book.next_total <= (meter?.settled ?? 0n), () => ({
        book,
        meter,
      }));
      const all = live.get(book.meter) ?? { sum: 0n, count: 0n, ranges: [] };
      hold(
        'a book knows its certificates',
        all.sum === book.live_total && all.count === book.live_certificates,
        () => ({ book, all }),
      );
      hold(
        'certified = live + retired',
        book.certified_total === book.live_total + book.retired_total,
        () => book,
      );
      const sorted = all.ranges.sort(([a], [b]) => (a < b ? -1 : 1));
      const overlap = sorted.find(([from], i) => i > 0 && from < (sorted[i - 1] as [bigint, bigint])[1]);
      hold('no nkWh is certified twice', overlap === undefined, () => sorted);
      const last = sorted.at(-1);
      hold('nothing is certified ahead', !last || last[1] <= book.next_total, () => ({ book, last }));
    }
  }

  #rentAndOwner({ kind, key: name, lamports, size, owner }: Shadow): void {
    if (kind === 'other' && size === 0) return;
    hold('no account is left without rent', lamports >= this.rent(size), () => ({
      name,
      kind,
      lamports,
      size,
    }));
    hold('no account is left without an owner', owner !== '11111111111111111111111111111111', () => ({
      name,
      kind,
      size,
    }));
  }

  // --- what must be true of a change

  /** Each change is what the events say, and the events say what a plain model of each rule says. */
  followEvents(executed: Executed): void {
    const { before, result } = executed;
    const { grx } = this;
    const wallets = new Map<string, { grid: bigint; grx: bigint }>();
    const move = (wallet: string, grid: bigint, quote: bigint) => {
      const sum = wallets.get(wallet) ?? { grid: 0n, grx: 0n };
      wallets.set(wallet, { grid: sum.grid + grid, grx: sum.grx + quote });
    };
    for (const [wallet, { grid, grx: quote }] of executed.direct) move(wallet, grid, quote);
    this.burnedDirectly += executed.burnedDirectly;

    const meters = new Map<string, Fields>();
    const meterOf = (name: string): Fields => {
      const known = meters.get(name);
      if (known) return known;
      const fields = { ...(before.get(name)?.fields ?? this.get(name)?.fields ?? {}) };
      fields.holds = ((fields.holds ?? []) as Fields[]).map((each) => ({ ...each }));
      meters.set(name, fields);
      return fields;
    };
    const readings = [...executed.readings];
    const takings = takingsOf(executed);
    for (const event of result.events) this.#follow(event, { move, meterOf, readings, takings, executed });

    // Meters end as their events add up.
    for (const [name, expected] of meters) {
      const actual = this.get(name, 'registry.Meter')?.fields;
      for (const field of [
        'eligible',
        'settled',
        'minted',
        'held',
        'basis',
        'last_sequence',
        'last_end',
      ] as const)
        hold(`a meter's ${field} follows its events`, actual?.[field] === expected[field], () => ({
          actual,
          expected,
        }));
      for (const field of [
        'produced_total',
        'consumed_total',
        'surplus_total',
        'owner',
        'public_key',
        'status',
      ] as const)
        hold(`a meter's ${field} follows its events`, actual?.[field] === expected[field], () => ({
          actual,
          expected,
        }));
    }
    for (const [name, old] of before) {
      if (old?.kind !== 'registry.Meter' || meters.has(name)) continue;
      hold('a meter changes with an event', this.#sameMeter(old.fields, this.get(name)?.fields), () => [
        old,
        this.get(name),
      ]);
    }

    // Wallets have what their events leave them.
    const changed = new Map<string, { grid: bigint; grx: bigint }>();
    const [gridMint, grxMint] = [nameOf(pda.mint), nameOf(grx)];
    for (const name of before.keys()) {
      const [old, now] = [before.get(name), this.get(name)];
      for (const [shadow, sign] of [
        [old, -1n],
        [now, 1n],
      ] as const) {
        if (shadow?.kind !== 'token' || shadow.fields.owner === name) continue;
        const sum = changed.get(shadow.fields.owner) ?? { grid: 0n, grx: 0n };
        if (shadow.fields.mint === gridMint) sum.grid += sign * shadow.fields.amount;
        if (shadow.fields.mint === grxMint) sum.grx += sign * shadow.fields.amount;
        changed.set(shadow.fields.owner, sum);
      }
      if (
        old?.kind === 'token' &&
        old.fields.owner !== name &&
        (now?.fields.amount ?? 0n) < old.fields.amount
      )
        hold('nobody loses tokens without signing', executed.signers.has(old.fields.owner), () => ({
          old,
          now,
        }));
    }
    for (const wallet of new Set([...wallets.keys(), ...changed.keys()])) {
      const expected = wallets.get(wallet) ?? { grid: 0n, grx: 0n };
      const actual = changed.get(wallet) ?? { grid: 0n, grx: 0n };
      hold(
        'wallets have what their events say',
        expected.grid === actual.grid && expected.grx === actual.grx,
        () => ({
          wallet,
          expected,
          actual,
        }),
      );
    }
    for (const [name, old] of before) {
      if (old?.kind !== 'trading.Order' || this.get(name, 'trading.Order')) continue;
      hold('a closed order leaves no escrow', !this.get(old.fields.escrow, 'token'), () => old);
      this.closedOrders.add(name);
      this.gifts.delete(name);
    }
  }

  #sameMeter(old: Fields, now: Fields | undefined): boolean {
    if (!now) return false;
    // A cap of the day and its counters are settings; totals, roles and counters are not.
    return [
      'meter_id owner public_key token_account last_sequence produced_total consumed_total surplus_total',
      'basis eligible settled minted held last_end rated_watts status',
    ]
      .join(' ')
      .split(' ')
      .every((field) => show(old[field]) === show(now[field]));
  }

  #follow(
    { name, data }: ChainEvent,
    to: {
      move: (wallet: string, grid: bigint, quote: bigint) => void;
      meterOf: (name: string) => Fields;
      readings: SignedReading[];
      takings: Taking[];
      executed: Executed;
    },
  ): void {
    const { move, meterOf, readings, takings, executed } = to;
    const config = this.one('registry.Config');
    const earlier = executed.before.get(nameOf(pda.config))?.fields ?? config;
    if (['MeterReadingSubmitted', 'MeterBalanceSettled', 'ProductionMinted', 'HeldReleased'].includes(name))
      hold('a paused registry gives nothing', earlier.paused === 0 || config.paused === 0, () => data);
    const authority = data.authority ? key(data.authority) : '';
    const rules = [config, earlier].some(
      ({ admin, registrar }) => authority === admin || authority === registrar,
    );
    const guards = [config, earlier].some(({ guardian }) => authority === guardian);
    if (name === 'MeterReadingSubmitted') {
      const meter = meterOf(key(data.meter));
      const user = nameOf(pda.user(new PublicKey(meter.owner)));
      hold(
        'readings count for verified users alone',
        this.get(user)?.fields.verified === 1 || executed.before.has(user),
        () => ({ meter, data }),
      );
      const at = readings.findIndex(
        (each) => each.meter === key(data.meter) && each.sequence === big(data.sequence),
      );
      const reading = readings[at];
      hold('a reading counts only with its meter’s signature', reading !== undefined, () => data);
      if (!reading) return;
      readings.splice(at, 1);
      this.#reading(meter, reading, data);
    } else if (name === 'HeldReleased' || name === 'HeldWrittenOff') {
      hold('only registrar and admin review', rules && executed.signers.has(authority), () => data);
      const meter = meterOf(key(data.meter));
      const slot = (meter.holds as Fields[]).find(
        (each) =>
          each.sequence === big(data.sequence) && each.amount === big(data.amount) && each.amount > 0n,
      );
      hold('only what is held is reviewed', slot !== undefined, () => ({ meter, data }));
      if (slot) {
        slot.amount = 0n;
        slot.sequence = 0n;
      }
      meter.held -= big(data.amount);
      if (name === 'HeldReleased') meter.eligible += big(data.amount);
      else
        this.writtenOff.set(key(data.meter), (this.writtenOff.get(key(data.meter)) ?? 0n) + big(data.amount));
    } else if (name === 'MeterBalanceSettled') {
      const meter = meterOf(key(data.meter));
      hold(
        'settling raises settled to eligible',
        big(data.total_settled) === meter.eligible &&
          big(data.new_tokens) === (meter.eligible as bigint) - (meter.settled as bigint),
        () => ({ meter, data }),
      );
      meter.settled = big(data.total_settled);
    } else if (name === 'ProductionMinted') {
      const meter = meterOf(key(data.meter));
      const amount = big(data.amount);
      meter.minted += amount;
      const day = `${key(data.meter)}/${Math.floor(this.world.now() / 86_400)}`;
      const today = (this.mintedOn.get(day) ?? 0n) + amount;
      this.mintedOn.set(day, today);
      const state = this.get(key(data.meter))?.fields;
      const cap = BigInt(state?.daily_mint_cap || config.daily_mint_cap || 0n);
      if (!executed.before.has(nameOf(pda.config)) && cap > 0n)
        hold(
          'no meter mints more in a day than its cap',
          today <= cap ||
            state?.daily_mint_cap !== executed.before.get(key(data.meter))?.fields.daily_mint_cap,
          () => ({ state, today, cap }),
        );
      hold('no more is minted than settled', meter.minted <= meter.settled, () => ({ meter, data }));
      const account =
        this.get(key(data.owner_token_account), 'token') ??
        executed.before.get(key(data.owner_token_account));
      hold("what is minted goes to the meter's owner", account?.fields.owner === meter.owner, () => ({
        meter,
        data,
        account,
      }));
      move(meter.owner, amount, 0n);
    } else if (name === 'MeterStatusChanged') {
      hold(
        'only those who may set a status',
        executed.signers.has(authority) && (rules || (guards && data.status === 1)),
        () => data,
      );
      meterOf(key(data.meter)).status = data.status;
    } else if (name === 'MeterTransferred') {
      const meter = meterOf(key(data.meter));
      hold(
        'nothing is held at a transfer',
        meter.held === 0n && meter.settled === meter.eligible,
        () => meter,
      );
      meter.owner = key(data.new_owner);
    } else if (name === 'MeterKeyRotated') {
      meterOf(key(data.meter)).public_key = key(data.new_public_key);
      this.#newKey(key(data.new_public_key), key(data.meter));
    } else if (name === 'MeterRegistered') {
      const meter = meterOf(key(data.meter));
      for (const field of ['eligible', 'settled', 'minted', 'held', 'basis', 'last_sequence'])
        hold('a new meter has counted nothing', meter[field] === 0n, () => meter);
      this.#newKey(key(data.public_key), key(data.meter));
    } else if (name === 'TokensBurned' || name === 'EnergyRetired') {
      move(key(data.owner), -big(data.amount), 0n);
    } else this.#followTrade({ name, data }, move, takings, executed);
  }

  #newKey(name: string, meter: string): void {
    hold('a key is used once', !this.usedKeys.has(name), () => [name, this.usedKeys.get(name)]);
    this.usedKeys.set(name, meter);
  }

  /** A plain model of what a reading brings. */
  #reading(meter: Fields, reading: SignedReading, data: Fields): void {
    const policy = this.one('registry.Config').policy as number;
    hold('a sequence only rises', reading.sequence > meter.last_sequence, () => ({ meter, reading }));
    hold('an end only rises', reading.end > meter.last_end, () => ({ meter, reading }));
    hold('an end lies at most two minutes ahead', reading.end <= this.world.now() + 120, () => reading);
    hold(
      'totals do not fall',
      reading.produced >= meter.produced_total &&
        reading.consumed >= meter.consumed_total &&
        reading.surplus >= meter.surplus_total,
      () => ({ meter, reading }),
    );
    hold('no reading of a suspended meter counts', meter.status !== 1, () => meter);
    const net = reading.produced > reading.consumed ? reading.produced - reading.consumed : 0n;
    const basis = policy === 0 ? reading.surplus : net > meter.basis ? net : (meter.basis as bigint);
    const rise = basis - meter.basis;
    const most = allowedRise(meter.rated_watts, reading.end - meter.last_end);
    const counted = meter.status === 2 ? 0n : rise < most ? rise : most;
    const held = meter.status === 2 ? 0n : rise - counted;
    hold(
      'a reading counts what the rules say',
      big(data.counted) === counted && big(data.held) === held,
      () => ({
        meter,
        reading,
        data,
        counted,
        held,
      }),
    );
    meter.eligible += counted;
    if (held > 0n) {
      const slots = meter.holds as Fields[];
      const free = slots.find(({ amount }) => amount === 0n);
      const newest = slots.reduce((a, b) => (b.sequence > a.sequence ? b : a));
      const slot = free ?? newest;
      slot.amount += held;
      slot.sequence = reading.sequence;
      meter.held += held;
    }
    meter.basis = basis;
    meter.status = 0;
    meter.last_sequence = reading.sequence;
    meter.last_end = reading.end;
    meter.produced_total = reading.produced;
    meter.consumed_total = reading.consumed;
    meter.surplus_total = reading.surplus;
  }

  #followTrade(
    { name, data }: ChainEvent,
    move: (wallet: string, grid: bigint, quote: bigint) => void,
    takings: Taking[],
    executed: Executed,
  ): void {
    if (name === 'OrderCreated') {
      const [order, owner, amount, price] = [
        key(data.order),
        key(data.owner),
        big(data.amount),
        big(data.price),
      ];
      hold(
        'an order address is used once',
        !this.orders.has(order) && !this.closedOrders.has(order),
        () => order,
      );
      const escrowed = big(data.escrowed);
      hold(
        'an order offers what it costs',
        escrowed === (data.side === 0 ? amount : quoteUp(amount, price)),
        () => data,
      );
      hold('an order is its owner’s wish', executed.signers.has(owner), () => data);
      this.orders.set(order, { amount, filled: 0n, price, side: data.side, feeBps: data.fee_bps, owner });
      move(owner, data.side === 0 ? -escrowed : 0n, data.side === 0 ? 0n : -escrowed);
    } else if (name === 'TradeExecuted') this.#trade(data, move, takings, executed);
    else if (name === 'OrderCancelled' || name === 'OrderExpired') {
      const [refunded, order] = [big(data.refunded), this.orders.get(key(data.order))];
      hold('only an order that there is ends', order !== undefined, () => data);
      if (name === 'OrderCancelled')
        hold('only the owner cancels', executed.signers.has(order?.owner ?? ''), () => data);
      move(key(data.owner), data.side === 0 ? refunded : 0n, data.side === 0 ? 0n : refunded);
    }
  }

  #trade(
    data: Fields,
    move: (wallet: string, grid: bigint, quote: bigint) => void,
    takings: Taking[],
    executed: Executed,
  ): void {
    const [amount, price, quote, fee] = [data.amount, data.price, data.quote, data.fee].map(big) as [
      bigint,
      bigint,
      bigint,
      bigint,
    ];
    const [seller, buyer] = [key(data.seller), key(data.buyer)];
    const [sell, buy] = [this.orders.get(key(data.sell_order)), this.orders.get(key(data.buy_order))];
    hold('a trade fills an order', sell !== undefined || buy !== undefined, () => data);
    hold('nobody trades with themselves', seller !== buyer, () => data);
    hold(
      'a quote is rounded by less than one',
      quote >= quoteDown(amount, price) && quote <= quoteUp(amount, price) && quote > 0n,
      () => data,
    );
    if (sell) {
      sell.filled += amount;
      hold('no order is filled over its amount', sell.filled <= sell.amount && sell.side === 0, () => ({
        sell,
        data,
      }));
      hold('a seller gets its price', price >= sell.price && sell.owner === seller, () => ({ sell, data }));
      hold('a seller pays at most the fee of its order', fee <= feeOf(quote, sell.feeBps), () => ({
        sell,
        data,
      }));
    } else hold('a taker signs', executed.signers.has(seller), () => data);
    if (buy) {
      buy.filled += amount;
      hold('no order is filled over its amount', buy.filled <= buy.amount && buy.side === 1, () => ({
        buy,
        data,
      }));
      hold('a buyer pays its price', price <= buy.price && buy.owner === buyer, () => ({ buy, data }));
    } else hold('a taker signs', executed.signers.has(buyer), () => data);
    const market = this.get(key(data.market), 'trading.Market')?.fields;
    const treasury = executed.before.get(key(data.market))?.fields.treasury ?? market?.treasury;
    const feed = this.get(market?.feed, 'oracle.Feed')?.fields;
    // What the same transaction changes may have been otherwise when the trade took place.
    const steady = !executed.before.has(key(data.market));
    if (steady) hold('nothing trades in a paused market', market?.paused === 0, () => ({ market, data }));
    if (steady && market && feed && market.band_bps > 0 && !executed.before.has(market.feed)) {
      const now = BigInt(this.world.now());
      hold(
        'no trade without a fresh price',
        feed.paused === 0 && now - feed.published_at <= BigInt(feed.max_age_seconds),
        () => ({
          feed,
          now,
        }),
      );
      const distance = price > feed.price ? price - feed.price : feed.price - price;
      hold('no trade out of the band', distance <= feeOf(feed.price, market.band_bps), () => ({
        feed,
        market,
        data,
      }));
    }
    move(seller, sell ? big(data.sell_refunded) : -amount, sell ? quote - fee : 0n);
    move(buyer, buy ? amount : 0n, buy ? big(data.buy_refunded) : -quote);
    const treasurer = (executed.before.get(treasury) ?? this.get(treasury))?.fields.owner;
    hold('the fee goes to the treasury', treasurer !== undefined, () => ({ treasury, data }));
    move(treasurer as string, 0n, fee);
    // A taker says where what it bought or sold for goes; it may be another's account, or an escrow.
    const taken = sell && !buy ? key(data.sell_order) : buy && !sell ? key(data.buy_order) : undefined;
    if (taken === undefined) return;
    const index = takings.findIndex(({ order }) => order === taken);
    hold('an order is taken by an instruction', index >= 0, () => data);
    const account = takings.splice(index, 1)[0]?.destination ?? '';
    const owner = (executed.before.get(account) ?? this.get(account))?.fields.owner as string;
    const received = sell ? amount : quote - fee;
    if (owner !== account) move(owner, sell ? received : 0n, sell ? 0n : received);
    else
      for (const { key: order, fields } of this.all('trading.Order'))
        if (fields.escrow === account) this.gifts.set(order, (this.gifts.get(order) ?? 0n) + received);
  }

  // --- who may

  #proposal(was: Fields, is: Fields, signed: (...names: string[]) => boolean, { before }: Executed): void {
    const now = BigInt(this.world.now());
    const changed = (field: string) => show(was[field]) !== show(is[field]);
    if (changed('executed')) {
      hold(
        'an instruction is executed between timelock and expiry',
        now >= is.executable_at && now < is.expires_at,
        () => ({
          is,
          now,
        }),
      );
      const earlier = [...before.values()].find((each) => each?.kind === 'governance.Config')?.fields;
      const until = (earlier ?? this.one('governance.Config')).paused_until as bigint;
      hold('a paused governance executes nothing', now >= until, () => ({ is, now, until }));
    }
    if (changed('yes') || changed('no') || changed('abstain'))
      hold('votes count while there is a vote', now < is.voting_ends_at, () => ({ was, is, now }));
    if (was.status >= 1)
      for (const field of ['instructions', 'instructions_hash', 'voting_ends_at', 'executable_at', 'quorum'])
        hold('what is voted on stays as it is', !changed(field), () => ({ was, is }));
    if (changed('status') && is.status === 2)
      hold('voting has ended', now >= is.voting_ends_at, () => ({ is, now }));
    if (changed('status') && is.status === 5)
      hold('only its proposer gives a proposal up', signed(was.proposer), () => ({ was, is }));
  }

  /** Settings and roles change only by the signature of those who may. */
  authorised(executed: Executed): void {
    const { before, signers } = executed;
    const signed = (...names: (string | undefined)[]) =>
      names.some((name) => name !== undefined && signers.has(name));
    for (const [name, old] of before) {
      const now = this.get(name);
      if (!old || !now || old.kind !== now.kind) continue;
      const [was, is] = [old.fields, now.fields];
      const changed = (field: string) => show(was[field]) !== show(is[field]);
      const only = (fields: string, ...who: (string | undefined)[]) => {
        for (const field of fields.split(' '))
          if (changed(field))
            hold(`only those who may change ${old.kind}.${field}`, signed(...who), () => ({
              was,
              is,
              signers: [...signers],
            }));
      };
      const pause = (admins: string[], guardians: string[]) => {
        if (changed('paused'))
          hold(
            `only those who may pause ${old.kind}`,
            signed(...admins) || (is.paused === 1 && signed(...guardians)),
            () => ({ was, is, signers: [...signers] }),
          );
      };
      // Several instructions of one transaction may hand a role over and use it: both signed then.
      if (old.kind === 'registry.Config') {
        only('admin', was.pending_admin, is.admin);
        only('pending_admin registrar guardian max_rated_watts daily_mint_cap', was.admin, is.admin);
        only('network policy', undefined);
        pause([was.admin, is.admin], [was.guardian, is.guardian]);
      } else if (old.kind === 'trading.Market') {
        only('admin', was.pending_admin, is.admin);
        only('pending_admin guardian treasury feed fee_bps band_bps', was.admin, is.admin);
        only('base_mint quote_mint lot_size tick_size created_at', undefined);
        pause([was.admin, is.admin], [was.guardian, is.guardian]);
      } else if (old.kind === 'oracle.Config') {
        only('authority', was.pending_authority, is.authority);
        only('pending_authority guardian feeds', was.authority, is.authority);
      } else if (old.kind === 'oracle.Feed') {
        const { authority, guardian } = this.one('oracle.Config');
        const formerly = [...before.values()].find((each) => each?.kind === 'oracle.Config')?.fields;
        const former = formerly?.authority;
        only(
          'max_age_seconds guard_seconds max_deviation_bps min_publishers override_publishers',
          authority,
          former,
        );
        only('publisher_count', authority, former);
        only('symbol bump created_at', undefined);
        pause([authority, former], [guardian, formerly?.guardian]);
      } else if (old.kind === 'certificates.Config') {
        only('admin', was.pending_admin, is.admin);
        only('pending_admin guardian', was.admin, is.admin);
        pause([was.admin, is.admin], [was.guardian, is.guardian]);
      } else if (old.kind === 'governance.Config') {
        // Proposals sign no transaction: they are executed in one.
        const executing = executed.result.events.some(({ name: event }) => event === 'InstructionExecuted');
        for (const field of 'guardian proposal_deposit voting_seconds timelock_seconds execution_seconds'.split(
          ' ',
        ))
          hold(`only a proposal changes ${old.kind}.${field}`, !changed(field) || executing, () => ({
            was,
            is,
          }));
        hold('GOV is minted once', !changed('supply'), () => ({ was, is }));
        if (changed('paused_until'))
          hold('only the guardian pauses governance', signed(was.guardian, is.guardian), () => ({ was, is }));
      } else if (old.kind === 'governance.Proposal') this.#proposal(was, is, signed, executed);
      else if (old.kind === 'governance.Voter') {
        only('wallet', undefined);
        only('deposited', was.wallet);
        if (is.deposited < was.deposited)
          hold('a deposit that is held stays', is.locks === 0 || was.locks === 0, () => ({ was, is }));
      } else if (old.kind === 'governance.Vote') {
        only('wallet proposal', undefined);
        only('weight choice', was.wallet);
      } else if (old.kind === 'certificates.Book') {
        const formerly = [...before.values()].find((each) => each?.kind === 'registry.Config')?.fields;
        only('source', this.one('registry.Config').registrar, formerly?.registrar);
        // A new owner has not opted in.
        if (changed('auto_issue') && is.auto_issue === 1) only('auto_issue', was.owner, is.owner);
        only('meter opened_at', undefined);
        hold(
          'what is certified stays certified',
          is.certified_total >= was.certified_total &&
            is.retired_total >= was.retired_total &&
            is.next_total >= was.next_total,
          () => ({ was, is }),
        );
      } else if (old.kind === 'certificates.Retirement') {
        hold('a retirement never changes', show(was) === show(is), () => ({ was, is }));
      } else if (old.kind === 'certificates.Certificate') {
        only('holder', was.holder);
        only('meter book producer serial from_total', undefined);
      } else if (old.kind === 'registry.Meter') {
        const config =
          [...before.values()].find((each) => each?.kind === 'registry.Config')?.fields ??
          this.one('registry.Config');
        only('owner public_key', was.owner);
        if (changed('owner') || changed('public_key'))
          hold('the registrar signs for owners and keys', signed(config.registrar), () => ({ was, is }));
        only('meter_id rated_watts registered_at', undefined);
      } else if (old.kind === 'registry.User') {
        only('wallet registered_at', undefined);
        if (changed('verified')) {
          const config = this.one('registry.Config');
          const formerly = [...before.values()].find((each) => each?.kind === 'registry.Config')?.fields;
          hold('only the registrar verifies', signed(config.registrar, formerly?.registrar), () => ({
            was,
            is,
            signers: [...signers],
          }));
        }
      }
    }
    for (const [name, old] of before) {
      const now = this.get(name);
      if (
        old &&
        /^(registry|oracle)\.|^token\.Config|^trading\.(Market|Trader)|^certificates\.(Book|Config|Retirement)|^governance\.Config/.test(
          old.kind,
        )
      )
        hold('what is never closed stays', now?.kind === old.kind, () => ({ old, now }));
    }
  }
}

/** Every program that there is in this build. */
export const present = (
  ['registry', 'token', 'trading', 'oracle', 'certificates', 'governance'] as const
).filter((name) => {
  try {
    program(name);
    return true;
  } catch {
    return false;
  }
});
