/** What the WebSocket takes and holds. */
export interface LiveLimits {
  /** Connections, of all and of one address (an IPv6 client is its /64). */
  clients: number;
  clientsPerAddress: number;
  subscriptionsPerClient: number;
  /** Frames that a client may send at once, and each second in the long run. */
  burst: number;
  framesPerSecond: number;
  /** Refused frames of one client at once before it is closed; one in ten seconds is forgiven. */
  refusals: number;
  /** Bytes that wait for a client before it is skipped. Frames are handed over whole, so that one may come on top. */
  bufferedBytes: number;
  /** How long it may take nothing. */
  drainMillis: number;
  /** Between two pings; a client that has not answered by the next one is gone. */
  pingMillis: number;
  /** Between two looks whether clients' logins were ended, here or at another collector. */
  sessionsMillis: number;
}

export const LIVE_LIMITS: Omit<LiveLimits, 'clients' | 'clientsPerAddress'> = {
  subscriptionsPerClient: 32,
  burst: 60,
  framesPerSecond: 10,
  refusals: 50,
  bufferedBytes: 128 * 1024,
  drainMillis: 30_000,
  pingMillis: 30_000,
  sessionsMillis: 15_000,
};

/** A bucket of tokens: `burst` at first, refilled by `perSecond`. */
export class Bucket {
  private tokens: number;
  private at: number | undefined;

  constructor(
    private readonly burst: number,
    private readonly perSecond: number,
  ) {
    this.tokens = burst;
  }

  /** @param millis a clock that does not go back */
  take(millis: number): boolean {
    const elapsed = millis - (this.at ?? millis);
    this.at = millis;
    this.tokens = Math.min(this.burst, this.tokens + (elapsed / 1000) * this.perSecond);
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }
}

/** The client that an address belongs to: an IPv4 address, or the /64 of an IPv6 one. */
export function clientOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(':')) return address;
  const [head = '', tail] = (address.split('%')[0] as string).split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...new Array<string>(Math.max(0, zeros)).fill('0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
