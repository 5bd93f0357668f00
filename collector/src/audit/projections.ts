import {
  CERTIFICATES_PROGRAM_ID,
  certificates,
  decodeCertificate,
  decodeFeed,
  decodeMarket,
  decodeMeter,
  decodeOrder,
  decodeProposal,
  decodeSymbol,
  decodeUser,
  energySourceName,
  GOVERNANCE_PROGRAM_ID,
  governance,
  ORACLE_PROGRAM_ID,
  oracle,
  ProposalStatus,
  REGISTRY_PROGRAM_ID,
  registry,
  Side,
  TRADING_PROGRAM_ID,
  trading,
  userAddress,
} from '@gridtokenx/chain';
import { PublicKey } from '@solana/web3.js';
import { statusOf } from '../mirror/accounts.js';
import type { DifferenceKind } from './differences.js';

/** What a row is to say by its account: text as PostgreSQL writes it, null for NULL. */
export type Columns = Readonly<Record<string, string | null>>;

/**
 * A kind of account whose state a table repeats, row by row. Every live row must have an account that says the same,
 * and every account a live row.
 */
export interface Projection {
  /** What one of them is called. */
  readonly what: 'meter' | 'user' | 'market' | 'order' | 'certificate' | 'feed' | 'proposal';
  readonly table: string;
  /** The column that names the account, by which rows are paged. */
  readonly key: string;
  /** SQL: rows whose account must exist. Other rows are of accounts that are closed. */
  readonly live: string;
  /** Columns that are compared. */
  readonly columns: readonly string[];
  readonly programId: PublicKey;
  /** The first bytes of such an account. */
  readonly discriminator: Uint8Array;
  readonly kinds: {
    readonly differs: DifferenceKind;
    readonly missing: DifferenceKind;
    readonly unknown: DifferenceKind;
  };
  /** The account's address, from the row's key. */
  addressOf(key: string): PublicKey;
  /** Bytes of an account that tell its row's key; without it, that is its address. */
  readonly keyAt?: { readonly offset: number; readonly length: number };
  /** @throws GtxError MESSAGE_INVALID for another kind of account. */
  read(data: Uint8Array): Columns;
}

const text = (value: bigint | number | boolean | string): string => String(value);
/** An address that the chain writes as zero where there is none. */
const orNull = (key: PublicKey): string | null => (key.equals(PublicKey.default) ? null : key.toBase58());
const itself = (key: string): PublicKey => new PublicKey(key);
const ROW = { differs: 'ROW_DIFFERS', missing: 'ROW_MISSING', unknown: 'ROW_UNKNOWN' } as const;
const MARKET_DISCRIMINATOR = trading.accountDiscriminator('Market');

export const METERS: Projection = {
  what: 'meter',
  table: 'meters',
  key: 'address',
  live: 'TRUE',
  columns: [
    'meter_id',
    'wallet_address',
    'public_key',
    'rated_watts',
    'status',
    'chain_sequence',
    'chain_produced_total',
    'chain_consumed_total',
    'chain_surplus_total',
    'chain_eligible',
    'chain_settled',
    'chain_minted',
    'chain_held',
  ],
  programId: REGISTRY_PROGRAM_ID,
  discriminator: registry.accountDiscriminator('Meter'),
  kinds: { differs: 'METER_DIFFERS', missing: 'METER_MISSING', unknown: 'METER_UNKNOWN' },
  addressOf: itself,
  read(data) {
    const meter = decodeMeter(data);
    return {
      meter_id: meter.meterId,
      wallet_address: meter.owner.toBase58(),
      public_key: meter.publicKey.toBase58(),
      rated_watts: text(meter.ratedWatts),
      status: statusOf(meter.status),
      chain_sequence: text(meter.lastSequence),
      chain_produced_total: text(meter.producedTotal),
      chain_consumed_total: text(meter.consumedTotal),
      chain_surplus_total: text(meter.surplusTotal),
      chain_eligible: text(meter.eligible),
      chain_settled: text(meter.settled),
      chain_minted: text(meter.minted),
      chain_held: text(meter.held),
    };
  },
};

const USERS: Projection = {
  what: 'user',
  table: 'users',
  key: 'wallet_address',
  live: 'TRUE',
  columns: ['verified'],
  programId: REGISTRY_PROGRAM_ID,
  discriminator: registry.accountDiscriminator('User'),
  kinds: ROW,
  addressOf: (wallet) => userAddress(new PublicKey(wallet)),
  // The discriminator, then the wallet.
  keyAt: { offset: 8, length: 32 },
  read: (data) => ({ verified: text(decodeUser(data).verified) }),
};

const MARKETS: Projection = {
  what: 'market',
  table: 'markets',
  key: 'address',
  live: 'TRUE',
  columns: [
    'base_mint',
    'quote_mint',
    'treasury',
    'feed',
    'admin',
    'guardian',
    'lot_size',
    'tick_size',
    'fee_bps',
    'band_bps',
    'paused',
  ],
  programId: TRADING_PROGRAM_ID,
  discriminator: MARKET_DISCRIMINATOR,
  kinds: ROW,
  addressOf: itself,
  read(data) {
    const market = decodeMarket(data);
    return {
      base_mint: market.baseMint.toBase58(),
      quote_mint: market.quoteMint.toBase58(),
      treasury: market.treasury.toBase58(),
      feed: orNull(market.feed),
      admin: market.admin.toBase58(),
      guardian: market.guardian.toBase58(),
      lot_size: text(market.lotSize),
      tick_size: text(market.tickSize),
      fee_bps: text(market.feeBps),
      band_bps: text(market.bandBps),
      paused: text(market.paused),
    };
  },
};

export const ORDERS: Projection = {
  what: 'order',
  table: 'orders',
  key: 'address',
  // A filled order's account stays until what is left in its escrow has gone back.
  live: 'closed_signature IS NULL',
  columns: [
    'market',
    'owner',
    'order_id',
    'side',
    'price',
    'amount',
    'remaining',
    'escrowed',
    'fee_bps',
    'rent_payer',
    'expires_at',
    'created_slot',
    'status',
  ],
  programId: TRADING_PROGRAM_ID,
  discriminator: trading.accountDiscriminator('Order'),
  kinds: { differs: 'ORDER_DIFFERS', missing: 'ORDER_MISSING', unknown: 'ORDER_UNKNOWN' },
  addressOf: itself,
  read(data) {
    const order = decodeOrder(data);
    return {
      market: order.market.toBase58(),
      owner: order.owner.toBase58(),
      order_id: text(order.orderId),
      side: order.side === Side.Sell ? 'sell' : 'buy',
      price: text(order.price),
      amount: text(order.amount),
      remaining: text(order.remaining),
      escrowed: text(order.escrowed),
      fee_bps: text(order.feeBps),
      rent_payer: order.rentPayer.toBase58(),
      expires_at: text(order.expiresAt),
      created_slot: text(order.createdSlot),
      status: order.remaining > 0n ? 'open' : 'filled',
    };
  },
};

const CERTIFICATES: Projection = {
  what: 'certificate',
  table: 'certificates',
  key: 'address',
  live: `status = 'held'`,
  columns: [
    'book',
    'meter',
    'meter_id',
    'producer',
    'holder',
    'attested_by',
    'serial',
    'split_from',
    'from_total',
    'to_total',
    'period_start',
    'period_end',
    'source',
    'status',
  ],
  programId: CERTIFICATES_PROGRAM_ID,
  discriminator: certificates.accountDiscriminator('Certificate'),
  kinds: ROW,
  addressOf: itself,
  read(data) {
    const certificate = decodeCertificate(data);
    return {
      book: certificate.book.toBase58(),
      meter: certificate.meter.toBase58(),
      meter_id: certificate.meterId,
      producer: certificate.producer.toBase58(),
      holder: certificate.holder.toBase58(),
      attested_by: certificate.attestedBy.toBase58(),
      serial: text(certificate.serial),
      split_from: certificate.splitFrom === 0n ? null : text(certificate.splitFrom),
      from_total: text(certificate.fromTotal),
      to_total: text(certificate.toTotal),
      period_start: text(certificate.periodStart),
      period_end: text(certificate.periodEnd),
      source: energySourceName(certificate.source),
      status: 'held',
    };
  },
};

const FEEDS: Projection = {
  what: 'feed',
  table: 'price_feeds',
  key: 'address',
  live: 'TRUE',
  columns: [
    'symbol',
    'price',
    'published_at',
    'paused',
    'max_age_seconds',
    'guard_seconds',
    'max_deviation_bps',
    'min_publishers',
    'override_publishers',
    'publishers',
  ],
  programId: ORACLE_PROGRAM_ID,
  discriminator: oracle.accountDiscriminator('Feed'),
  kinds: ROW,
  addressOf: itself,
  read(data) {
    const feed = decodeFeed(data);
    return {
      symbol: decodeSymbol(feed.symbol),
      price: text(feed.price),
      published_at: text(feed.publishedAt),
      paused: text(feed.paused),
      max_age_seconds: text(feed.maxAgeSeconds),
      guard_seconds: text(feed.guardSeconds),
      max_deviation_bps: text(feed.maxDeviationBps),
      min_publishers: text(feed.minPublishers),
      override_publishers: text(feed.overridePublishers),
      publishers: text(feed.publisherCount),
    };
  },
};

const STATUS_OF_PROPOSAL = Object.fromEntries(
  Object.entries(ProposalStatus).map(([name, code]) => [code, name.toLowerCase()]),
);

const PROPOSALS: Projection = {
  what: 'proposal',
  table: 'proposals',
  key: 'address',
  live: 'removed_at IS NULL',
  columns: [
    'id',
    'proposer',
    'title',
    'uri',
    'description_hash',
    'status',
    'yes',
    'no',
    'abstain',
    'instructions',
    'executed',
    'voting_ends_at',
  ],
  programId: GOVERNANCE_PROGRAM_ID,
  discriminator: governance.accountDiscriminator('Proposal'),
  kinds: ROW,
  addressOf: itself,
  read(data) {
    const proposal = decodeProposal(data);
    return {
      id: text(proposal.id),
      proposer: proposal.proposer.toBase58(),
      title: proposal.title,
      uri: proposal.uri,
      description_hash: Buffer.from(proposal.descriptionHash).toString('hex'),
      status: STATUS_OF_PROPOSAL[proposal.status] ?? text(proposal.status),
      yes: text(proposal.yes),
      no: text(proposal.no),
      abstain: text(proposal.abstain),
      instructions: text(proposal.instructions),
      executed: text(proposal.executed),
      voting_ends_at: proposal.votingEndsAt === 0n ? null : text(proposal.votingEndsAt),
    };
  },
};

/** In the order in which rows lean on each other: owners before meters, markets before orders. */
export const PROJECTIONS: readonly Projection[] = [
  USERS,
  METERS,
  MARKETS,
  ORDERS,
  CERTIFICATES,
  FEEDS,
  PROPOSALS,
];
