import type { LiveChannel, LivePosition } from '@gridtokenx/protocol';
import { textFrame } from './frame.js';
import type { LiveMetrics } from './metrics.js';

/** What a topic needs of a client's connection. */
export interface Receiver {
  /** Hands a whole WebSocket frame to the connection; false when it is too far behind, and then nothing was sent. */
  deliver(frame: Buffer): boolean;
  /** The subscription is to get a snapshot when the connection has caught up. */
  behind(subscription: Subscription): void;
}

/** One client's part in a topic. */
export class Subscription {
  /** What it was sent last. */
  position: LivePosition | undefined;
  /** `waiting`: nothing may be sent before a snapshot. */
  state: 'live' | 'waiting' | 'ended' = 'waiting';

  constructor(
    readonly topic: Topic,
    readonly receiver: Receiver,
  ) {}
}

/** What a topic is about, as it stands in its frames. */
export interface TopicName {
  channel: LiveChannel;
  market?: string;
  meter_id?: string;
}

/** The state of a topic at one moment. `data` is JSON text. */
export interface TopicState extends LivePosition {
  data: string;
}

interface Past extends LivePosition {
  after: number;
  frame: Buffer;
}

/** Recent changes that are kept for clients that come back. */
export interface Keep {
  frames: number;
  bytes: number;
}
/** For what many follow. */
export const KEEP_MUCH: Keep = { frames: 512, bytes: 1024 * 1024 };
/** For what one person follows: there may be thousands of these. */
export const KEEP_LITTLE: Keep = { frames: 32, bytes: 16 * 1024 };

/**
 * One stream of numbered changes and its subscribers. A change is turned into bytes once, however many they are.
 */
export abstract class Topic {
  readonly subscriptions = new Set<Subscription>();
  private past: Past[] = [];
  private pastBytes = 0;
  /** The last snapshot, for those who ask at the same state. */
  private cached: (LivePosition & { frame: Buffer }) | undefined;
  private readonly head: string;

  constructor(
    readonly name: TopicName,
    protected readonly metrics: LiveMetrics,
    private readonly keep: Keep,
  ) {
    this.head = JSON.stringify(name).slice(0, -1);
  }

  /** The state now; undefined while it is not known: then `resync` is called once it is. */
  protected abstract state(): TopicState | undefined;

  /** Begins to serve a subscription: from where the client was, if that can be told, else with a snapshot. */
  begin(subscription: Subscription, last: LivePosition | undefined): void {
    this.subscriptions.add(subscription);
    const missed = last && this.since(last);
    if (missed === undefined) {
      this.sendSnapshot(subscription);
      return;
    }
    subscription.state = 'live';
    subscription.position = last;
    let sent = 0;
    for (const past of missed) if (this.send(subscription, past)) sent += 1;
    this.metrics.frames.inc({ channel: this.name.channel }, sent);
  }

  end(subscription: Subscription): void {
    subscription.state = 'ended';
    this.subscriptions.delete(subscription);
  }

  /** Sends the state to a subscription that waits for it. */
  sendSnapshot(subscription: Subscription): void {
    if (subscription.state === 'ended') return;
    subscription.state = 'waiting';
    const snapshot = this.snapshot();
    if (snapshot === undefined) return;
    if (!subscription.receiver.deliver(snapshot.frame)) {
      subscription.receiver.behind(subscription);
      return;
    }
    this.metrics.frames.inc({ channel: this.name.channel });
    subscription.state = 'live';
    subscription.position = { epoch: snapshot.epoch, sequence: snapshot.sequence };
  }

  /** What was known is worth nothing any more, or has become known: everybody gets a snapshot. */
  protected resync(): void {
    this.past = [];
    this.pastBytes = 0;
    this.cached = undefined;
    for (const subscription of this.subscriptions) this.sendSnapshot(subscription);
  }

  /** Sends a change to all. `data` is JSON text. */
  protected publish(type: 'delta' | 'event', position: LivePosition & { after: number }, data: string): void {
    const { epoch, after, sequence } = position;
    const frame = textFrame(
      `${this.head},"type":"${type}","epoch":"${epoch}","after":${after},"sequence":${sequence},"data":${data}}`,
    );
    const past = { epoch, after, sequence, frame };
    this.past.push(past);
    this.pastBytes += frame.length;
    const { frames, bytes } = this.keep;
    while (this.past.length > frames || (this.pastBytes > bytes && this.past.length > 1)) {
      this.pastBytes -= this.past.shift()?.frame.length ?? 0;
    }
    if (this.subscriptions.size === 0) return;
    const end = this.metrics.fanOutSeconds.startTimer();
    let sent = 0;
    for (const subscription of this.subscriptions) if (this.send(subscription, past)) sent += 1;
    this.metrics.frames.inc({ channel: this.name.channel }, sent);
    end();
  }

  private send(subscription: Subscription, past: Past): boolean {
    if (subscription.state !== 'live') return false;
    // A snapshot may have been ahead of changes that were still to be told.
    if ((subscription.position?.sequence ?? -1) >= past.sequence) return false;
    if (!subscription.receiver.deliver(past.frame)) {
      subscription.state = 'waiting';
      this.metrics.skipped.inc();
      subscription.receiver.behind(subscription);
      return false;
    }
    subscription.position = past;
    return true;
  }

  /** The changes after a position, oldest first; undefined when not all of them are known. */
  private since(last: LivePosition): Past[] | undefined {
    const state = this.state();
    if (state === undefined || state.epoch !== last.epoch || last.sequence > state.sequence) return undefined;
    const missed = this.past.filter(({ sequence }) => sequence > last.sequence);
    const first = missed[0];
    if (first === undefined) return state.sequence === last.sequence || this.announces(last) ? [] : undefined;
    return first.after <= last.sequence ? missed : undefined;
  }

  /** Whether the next change will be told from this position on, or from before it. */
  protected announces(_last: LivePosition): boolean {
    return false;
  }

  private snapshot(): (LivePosition & { frame: Buffer }) | undefined {
    const { cached } = this;
    const at = this.position();
    if (at === undefined) return undefined;
    if (cached && cached.epoch === at.epoch && cached.sequence === at.sequence) return cached;
    const state = this.state();
    if (state === undefined) return undefined;
    const { epoch, sequence, data } = state;
    const frame = textFrame(
      `${this.head},"type":"snapshot","epoch":"${epoch}","sequence":${sequence},"data":${data}}`,
    );
    const made = { epoch, sequence, frame };
    if (this.keep === KEEP_MUCH) this.cached = made;
    return made;
  }

  /** Where the state is, without the state; undefined while it is not known. */
  protected abstract position(): LivePosition | undefined;
}
