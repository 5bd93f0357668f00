/** Answers of the collector's HTTP interface, as docs/http.md and /openapi.json have them. Amounts are decimal text. */

export interface Market {
  address: string;
  base_mint: string;
  quote_mint: string;
  lot_size: string;
  tick_size: string;
  fee_bps: number;
  band_bps: number;
  feed: string | null;
  paused: boolean;
}

export type Side = 'sell' | 'buy';

export interface Order {
  address: string;
  market: string;
  owner: string;
  order_id: string;
  side: Side;
  price: string;
  amount: string;
  remaining: string;
  status: 'open' | 'filled' | 'cancelled' | 'expired';
  expires_at: string;
  created_at: string;
}

export interface Trade {
  signature: string;
  event_index: number;
  seller: string;
  buyer: string;
  taker_side: Side;
  price: string;
  amount: string;
  quote: string;
  executed_at: string;
}

export interface Guide {
  market: string;
  price: string;
  supply_kwh: string;
  demand_kwh: string;
  imbalance_bps: number;
  tariff_bps: number;
  time: string;
}

export interface Prices {
  feeds: {
    address: string;
    symbol: string;
    price: string | null;
    published_at: string | null;
    counts: boolean;
  }[];
  guides: Guide[];
}

export interface Balances {
  wallet: string;
  balances: { mint: string; symbol: 'GRID' | 'GRX'; amount: string; escrowed: string; total: string }[];
}

export interface BuiltTransaction {
  transaction: string;
  message: string;
  last_valid_block_height: number;
  expires_at: string;
  order: { expires_at: string };
  pre_flight: { check: string; ok: boolean; message: string }[];
  pays: { token: 'GRID' | 'GRX' | 'none'; amount: string };
  receives: { token: 'GRID' | 'GRX'; amount: string };
  price: string | null;
  quote: string | null;
  trading_fee: string;
  network_fee: string;
  rent: string;
  rent_returned: string;
}

export interface Submitted {
  signature: string;
  last_valid_block_height: number;
}

export interface TransactionState {
  signature: string;
  state: 'pending' | 'confirmed' | 'finalized' | 'failed' | 'expired';
  slot: number | null;
  error: { reason: string; message: string; what_to_do: string } | null;
  events: ChainEvent[];
  transaction: string | null;
  readings: ProvenReading[];
  accepted_in: string[];
}

export interface ProvenReading {
  meter_id: string;
  public_key: string;
  meter_signature: string;
  message: string;
  flags: number;
  sequence: string;
  interval_start: number;
  interval_end: number;
  produced_total: string;
  consumed_total: string;
  surplus_total: string;
  after_sequence: string | null;
  counted_kwh: string;
  held_kwh: string;
  mint_tx_signature: string | null;
}

export interface Meter {
  meter_id: string;
  wallet_address: string;
  public_key: string;
  rated_watts: number;
  status: 'active' | 'suspended' | 'rebase';
  user_verified: boolean;
  last_sequence: string;
  through: string;
  last_reading_at: string | null;
  surplus_kwh: string;
  minted_grid: string;
  holds: number;
}

export interface Reading {
  id: string;
  meter_id: string;
  wallet_address: string;
  sequence: string;
  flags: number;
  interval_start: number;
  interval_end: number;
  produced_total: string;
  consumed_total: string;
  surplus_total: string;
  kwh_amount: string;
  reading_timestamp: string;
  submitted_at: string;
  status: string;
  minted: boolean;
  mint_tx_signature: string | null;
  meter_signature: string;
  public_key: string;
}

export interface Settlement {
  id: string;
  signature: string;
  state: 'prepared' | 'confirmed' | 'finalized' | 'failed' | 'expired' | 'superseded' | 'dropped';
  meter_id: string;
  expected: string;
  minted: string | null;
  created_at: string;
  confirmed_at: string | null;
}

export interface Certificate {
  address: string;
  meter_id: string;
  serial: string;
  energy: string;
  period_end: string;
  status: 'held' | 'retired';
}

export interface ChainEvent {
  signature: string;
  event_index: number;
  name: string;
  slot: number;
  time: string | null;
  finalized: boolean;
  data: Record<string, unknown>;
}

export interface Review {
  id: string;
  kind: string;
  status: string;
  subject: string;
  meter_id: string | null;
  sequence: string | null;
  amount_kwh: string;
  reason: string;
  details: Record<string, unknown>;
  actions: ('retry' | 'accept' | 'dismiss' | 'prepare')[];
  created_at: string;
}

export interface Alert {
  id: string;
  kind: string;
  key: string;
  severity: 'info' | 'warning' | 'critical';
  message: string;
  details: Record<string, unknown>;
  occurrences: number;
  first_seen: string;
  last_seen: string;
  acknowledged_at: string | null;
}

export interface CollectorStatus {
  meters: number;
  users: number;
  readings: { stored: number; by_status: Record<string, number> };
  minted_grid: string;
  open_alerts: number;
  open_reviews: number;
}

export interface Health {
  status: 'ok' | 'degraded';
  version: string;
  uptime_seconds: number;
  demo: boolean;
  checks: Record<'database' | 'broker' | 'chain', 'ok' | 'unavailable'>;
}

export interface Overview {
  time: string;
  power: {
    production_watts: number;
    consumption_watts: number;
    surplus_watts: number;
    meters: number;
    at: string;
  } | null;
  power_hidden: 'too_few_meters' | null;
  today: {
    since: string;
    produced_kwh: string | null;
    consumed_kwh: string | null;
    surplus_kwh: string | null;
    minted_grid: string;
    readings: number;
  };
  total: { minted_grid: string; readings: number; meters: number; users: number };
  pipeline: {
    stage: 'received' | 'stored' | 'accepted' | 'minted' | 'final';
    count_minute: number | null;
    count_hour: number | null;
    waiting: number | null;
    lag_seconds_p50: number | null;
    lag_seconds_p95: number | null;
  }[];
  mints: {
    signature: string;
    amount: string;
    time: string | null;
    meters: number;
    state: 'confirmed' | 'finalized';
  }[];
}

export interface EnergyBucket {
  start: string;
  end: string;
  produced_kwh: string | null;
  consumed_kwh: string | null;
  surplus_kwh: string | null;
  readings: number;
}

export interface Energy {
  step: 'quarter' | 'hour' | 'day';
  items: EnergyBucket[];
  counted: boolean;
}

export interface Power {
  at: string | null;
  production_watts: number;
  consumption_watts: number;
  surplus_watts: number;
  meters: number;
  silent: number;
}

export interface MeterLive {
  meter_id: string;
  state: 'online' | 'silent' | 'offline' | 'never';
  since: string | null;
  last_heard_at: string | null;
  last_reading_at: string | null;
  version: string | null;
  outbox_depth: number | null;
  clock: { synchronised: boolean; offset_ms: number | null } | null;
  bus: { ok: boolean; failures: number; last_error: string | null } | null;
  alerts: { code: string; message: string; since: string | null }[];
  power: {
    production_watts: number | null;
    consumption_watts: number | null;
    grid_watts: number | null;
    at: string;
  } | null;
}

export type FleetState = 'online' | 'silent' | 'offline' | 'never';

export interface FleetItem {
  meter_id: string;
  wallet_address: string;
  chain_status: 'active' | 'suspended' | 'rebase';
  state: FleetState;
  since: string | null;
  last_heard_at: string | null;
  last_reading_at: string | null;
  version: string | null;
  outbox_depth: number | null;
  clock: { synchronised: boolean; offset_ms: number | null } | null;
  bus: {
    ok: boolean;
    failures: number;
    last_error: string | null;
    devices: {
      role: 'grid' | 'production' | 'consumption';
      unit: number;
      ok: boolean;
      failures: number;
      last_success: string | null;
      last_error: string | null;
    }[];
  } | null;
  alerts: { code: string; message: string; since: string | null }[];
  power: {
    production_watts: number | null;
    consumption_watts: number | null;
    grid_watts: number | null;
    at: string;
  } | null;
  holds: number;
  minted_grid: string;
  site: { latitude: number; longitude: number } | null;
}

export interface FleetPlaces {
  items: { meter_id: string; state: FleetState; latitude: number; longitude: number }[];
  meters: number;
  more: boolean;
}

export interface FleetSummary {
  time: string;
  meters: number;
  states: { online: number; silent: number; offline: number; never: number };
  problems: { clock: number; bus: number; outbox: number; alerts: number };
  outbox_readings: number;
  versions: { version: string; meters: number }[];
}

export interface SettlementQueue {
  time: string;
  queue: { pending: number; covered: number; accepted: number; held: number; review: number };
  oldest_waiting_seconds: number | null;
  in_flight: {
    signature: string;
    state: 'prepared' | 'confirmed';
    meters: number;
    created_at: string;
    age_seconds: number;
  }[];
  in_flight_count: number;
  failed: { signature: string; error: string | null; created_at: string }[];
  last_hour: {
    confirmed: number;
    failed: number;
    expired: number;
    p50_seconds: number | null;
    p95_seconds: number | null;
  };
  paused: boolean | null;
}

export interface HealthDetails {
  time: string;
  database: {
    version: string;
    size_bytes: number;
    connections: number;
    max_connections: number;
    oldest_transaction_seconds: number | null;
    partitions: number;
    rollup_behind: number;
  };
  chain: {
    cluster: string | null;
    rpc_ms: number | null;
    slot: number | null;
    block_height: number | null;
    mirror_lag_slots: number | null;
    mirror_lag_seconds: number | null;
    queued: number;
  };
  broker: { connected: boolean; clients: number | null; url: string };
  collectors: { id: string; version: string; started_at: string; last_seen: string; roles: string[] }[];
  audit: { last_at: string | null; ok: boolean | null; differences: number; open: number };
}

export interface Audit {
  last: {
    ok: boolean;
    checked_at: string;
    slot: number;
    difference_count: number;
    differences: Record<string, unknown>[];
    /** null in a report from before energy was compared. */
    energy: { whole: boolean; days: number; quarters: number; readings: number; unproved: number } | null;
  } | null;
  open: {
    id: string;
    subject: string;
    difference: Record<string, unknown>;
    first_seen: string;
    last_seen: string;
    looks: number;
    confirmed_at: string | null;
    repair: string | null;
  }[];
  rounds: { name: string; rounds: number; finished_at: string | null; error: string | null }[];
}
