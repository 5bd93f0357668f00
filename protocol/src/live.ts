/**
 * Frames of the collector's WebSocket (`/ws`): JSON text, one object each. What the client sends is validated with
 * `LiveRequest`, what it receives with `LiveFrame`. `BookReplica` and `ListReplica` put the frames of a channel together.
 */
import { z } from 'zod';
import { type ErrorCode, isErrorCode } from './errors.js';
import { meterIdText, publicKeyText } from './fields.js';
import { Role } from './sessions.js';

/** Path of the WebSocket, on the port of HTTP. */
export const LIVE_PATH = '/ws';
/** A client's frame may have this many bytes; a longer one ends the connection (1009). */
export const MAX_LIVE_REQUEST_BYTES = 16 * 1024;

/** `book`, `trades`, `prices` and `overview` are for anybody, those of a wallet for its owner, `alerts` and what follows for operators. */
export const LIVE_CHANNELS = [
  'book',
  'trades',
  'prices',
  'overview',
  'readings',
  'orders',
  'balances',
  'settlements',
  'power',
  'alerts',
  'reviews',
  'traffic',
  'fleet',
] as const;
export const LiveChannel = z.enum(LIVE_CHANNELS);
export type LiveChannel = z.infer<typeof LiveChannel>;

/** Why the collector closes a connection (RFC 6455 7.4): what the client did, or what it should do. */
export const LIVE_CLOSE = {
  /** The collector stops: connect again, to this one or another. */
  stopping: 1001,
  /** A binary frame. */
  binary: 1003,
  /** Too many frames that are none, or too many at all. */
  abuse: 1008,
  /** The connection took nothing for half a minute: connect again over a better one. */
  tooSlow: 1013,
} as const;

const id = z.union([z.string().max(64), z.number().int()]).optional();
const place = {
  market: publicKeyText.optional().meta({ description: 'For `book` and `trades`' }),
  meter_id: meterIdText.optional().meta({ description: 'For `readings`' }),
};

/** What passes between gateways and collector; `reading` is one that is stored, `refused` whatever is not taken. */
export const TRAFFIC_KINDS = ['reading', 'ack', 'telemetry', 'status', 'command', 'refused'] as const;
export const TrafficKind = z.enum(TRAFFIC_KINDS);
export type TrafficKind = z.infer<typeof TrafficKind>;

/** Which of the traffic is to be told: what fits all that is given. */
export const TrafficFilter = z.strictObject({
  meter: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/, 'must be the beginning of a meter id')
    .optional(),
  kinds: z.array(TrafficKind).min(1).max(TRAFFIC_KINDS.length).optional(),
  outcome: z.enum(['stored', 'refused']).optional(),
});
export type TrafficFilter = z.infer<typeof TrafficFilter>;

/** How far a client has come: `epoch` and `sequence` of the last frame that it applied. */
export const LivePosition = z.strictObject({ epoch: z.string().max(64), sequence: z.number().int().min(0) });
export type LivePosition = z.infer<typeof LivePosition>;

export const LiveRequest = z.discriminatedUnion('op', [
  z.strictObject({
    id,
    op: z.literal('subscribe'),
    channel: LiveChannel,
    ...place,
    last: LivePosition.optional(),
    filter: TrafficFilter.optional().meta({ description: 'For `traffic`' }),
  }),
  z.strictObject({ id, op: z.literal('unsubscribe'), channel: LiveChannel, ...place }),
  z.strictObject({ id, op: z.literal('auth'), access_token: z.string().min(1).max(128) }),
  z
    .strictObject({
      id,
      op: z.literal('password'),
      username: z.string().min(1).max(128),
      password: z.string().min(1).max(1_024),
    })
    .meta({ description: "An operator's; pages cannot send it as a header" }),
  z.strictObject({ id, op: z.literal('ping') }),
]);
export type LiveRequest = z.infer<typeof LiveRequest>;

/** Energy at one price; in a delta, amount `0`: nothing is left there. */
export const LiveLevel = z.strictObject({
  price: z.string().meta({ description: 'GRX for 1 GRID' }),
  amount: z.string().meta({ description: 'GRID' }),
  orders: z.number().int(),
});
export type LiveLevel = z.infer<typeof LiveLevel>;
export const LiveLevels = z.strictObject({ asks: z.array(LiveLevel), bids: z.array(LiveLevel) });
export type LiveLevels = z.infer<typeof LiveLevels>;

/** As in the lists of the HTTP interface. */
export const LiveItem = z.record(z.string(), z.unknown());
export type LiveItem = z.infer<typeof LiveItem>;
/** A snapshot of a list: the newest items, newest first. */
export const LiveItems = z.strictObject({ items: z.array(LiveItem) });
/** News of a list: items that are new or have changed, newest first, and the keys of those that are gone. */
export const LiveNews = z.strictObject({ items: z.array(LiveItem), removed: z.array(z.string()) });
export type LiveNews = z.infer<typeof LiveNews>;

const error = z.strictObject({
  code: z.string().transform((code): ErrorCode => (isErrorCode(code) ? code : 'INTERNAL')),
  message: z.string(),
  retry: z.enum(['never', 'later']),
  details: z.record(z.string(), z.unknown()),
});
const answered = z.union([z.string(), z.number(), z.null()]);
const channel = { channel: LiveChannel, market: z.string().optional(), meter_id: z.string().optional() };
const run = { epoch: z.string(), sequence: z.number().int() };

/** The answer to a request: of `ping` with the time, of `auth` with who it is. */
export const LiveAnswer = z.strictObject({
  id: answered,
  ok: z.literal(true),
  time: z.string().optional(),
  wallet: z.string().nullable().optional(),
  roles: z.array(Role).optional(),
  expires_at: z.string().nullable().optional(),
});
export type LiveAnswer = z.infer<typeof LiveAnswer>;

export const LiveRefusal = z.strictObject({ id: answered, error });
export type LiveRefusal = z.infer<typeof LiveRefusal>;

/** All there is of a channel: it replaces what the client has. */
export const LiveSnapshot = z.strictObject({
  ...channel,
  type: z.literal('snapshot'),
  ...run,
  data: z.union([LiveLevels, LiveItems]),
});
export type LiveSnapshot = z.infer<typeof LiveSnapshot>;

/**
 * What has changed between the states `after` and `sequence` of an epoch. A client that is at `after` or beyond, but
 * before `sequence`, applies it; one that is at `sequence` or beyond has it already; one that is before `after` has
 * missed something and subscribes again.
 */
export const LiveChange = z.strictObject({
  ...channel,
  type: z.enum(['delta', 'event']),
  ...run,
  after: z.number().int(),
  data: z.union([LiveLevels, LiveNews]),
});
export type LiveChange = z.infer<typeof LiveChange>;

/** The subscription is over: the login has ended, or what it was about is gone. */
export const LiveEnd = z.strictObject({ ...channel, type: z.literal('ended'), error });
export type LiveEnd = z.infer<typeof LiveEnd>;

export const LiveFrame = z.union([LiveAnswer, LiveRefusal, LiveSnapshot, LiveChange, LiveEnd]);
export type LiveFrame = z.infer<typeof LiveFrame>;

/** What names an item of a list channel; it comes again under the same key when it has changed. */
export function liveKey(channelName: LiveChannel, item: LiveItem): string {
  const keys: Partial<Record<LiveChannel, string[]>> = {
    trades: ['signature', 'event_index'],
    prices: ['kind', 'key'],
    readings: ['meter_id', 'sequence'],
    orders: ['address'],
    balances: ['mint'],
    settlements: ['id', 'meter_id'],
    alerts: ['id'],
    reviews: ['id'],
    traffic: ['key'],
    overview: ['key'],
    power: ['meter_id'],
    fleet: ['key'],
  };
  return (keys[channelName] ?? ['id']).map((name) => String(item[name])).join('/');
}

/** What became of a frame: `missed` means that the client has to subscribe again. */
export type Applied = 'applied' | 'known' | 'missed';

function fits(at: LivePosition | undefined, frame: LiveSnapshot | LiveChange): Applied {
  if (frame.type === 'snapshot') return 'applied';
  if (at === undefined || at.epoch !== frame.epoch || at.sequence < frame.after) return 'missed';
  return at.sequence >= frame.sequence ? 'known' : 'applied';
}

/** An order book that follows the frames of a `book` channel. Prices and amounts are the texts of the frames. */
export class BookReplica {
  /** To be given as `last` when subscribing again. */
  position: LivePosition | undefined;
  private readonly sides = { asks: new Map<string, LiveLevel>(), bids: new Map<string, LiveLevel>() };

  apply(frame: LiveSnapshot | LiveChange): Applied {
    const outcome = fits(this.position, frame);
    if (outcome !== 'applied') return outcome;
    const data = LiveLevels.parse(frame.data);
    for (const side of ['asks', 'bids'] as const) {
      const levels = this.sides[side];
      if (frame.type === 'snapshot') levels.clear();
      for (const level of data[side]) {
        if (level.amount === '0') levels.delete(level.price);
        else levels.set(level.price, level);
      }
    }
    this.position = { epoch: frame.epoch, sequence: frame.sequence };
    return 'applied';
  }

  /** Sell orders by price, the lowest first. */
  get asks(): LiveLevel[] {
    return [...this.sides.asks.values()].sort((a, b) => Number(a.price) - Number(b.price));
  }

  /** Buy orders by price, the highest first. */
  get bids(): LiveLevel[] {
    return [...this.sides.bids.values()].sort((a, b) => Number(b.price) - Number(a.price));
  }
}

/** A list that follows the frames of any channel but `book`. */
export class ListReplica {
  position: LivePosition | undefined;
  private byKey = new Map<string, LiveItem>();

  /** @param most items that are kept; the oldest go */
  constructor(
    private readonly channelName: LiveChannel,
    private readonly most = 1000,
  ) {}

  apply(frame: LiveSnapshot | LiveChange): Applied {
    const outcome = fits(this.position, frame);
    if (outcome !== 'applied') return outcome;
    const news: LiveNews =
      frame.type === 'snapshot'
        ? { ...LiveItems.parse(frame.data), removed: [] }
        : LiveNews.parse(frame.data);
    const before = frame.type === 'snapshot' ? new Map<string, LiveItem>() : this.byKey;
    for (const key of news.removed) before.delete(key);
    const added = new Map<string, LiveItem>();
    for (const item of news.items) {
      const key = liveKey(this.channelName, item);
      // What has changed keeps its place.
      if (before.has(key)) before.set(key, item);
      else added.set(key, item);
    }
    this.byKey = new Map([...added, ...before].slice(0, this.most));
    this.position = { epoch: frame.epoch, sequence: frame.sequence };
    return 'applied';
  }

  /** Newest first. */
  get items(): LiveItem[] {
    return [...this.byKey.values()];
  }
}
