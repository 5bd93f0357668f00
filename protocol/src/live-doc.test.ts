import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  BookReplica,
  ListReplica,
  type LiveChange,
  LiveFrame,
  type LiveItem,
  LiveRequest,
  type LiveSnapshot,
  MAX_LIVE_REQUEST_BYTES,
  networkId,
  signInMessage,
} from './index.js';

const DOC = readFileSync(new URL('../../docs/live.md', import.meta.url), 'utf8');

/** Code blocks of the page, by what stands behind their fence. */
function blocks(): { kind: string; lines: string[] }[] {
  return [...DOC.matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm)].map(([, kind = '', text = '']) => ({
    kind,
    lines: text.trimEnd().split('\n'),
  }));
}

describe('docs/live.md', () => {
  test('its frames are frames, and its book follows from them', () => {
    const book = new BookReplica();
    let frames = 0;
    let books = 0;
    for (const { kind, lines } of blocks()) {
      if (kind.startsWith('frames')) {
        for (const line of lines) {
          const value: unknown = JSON.parse(line.slice(2));
          frames += 1;
          if (line.startsWith('> ')) {
            LiveRequest.parse(value);
            continue;
          }
          expect(line.startsWith('< ')).toBe(true);
          const frame = LiveFrame.parse(value);
          // Nothing of it is left out by the schema.
          expect(frame).toEqual(value);
          if (kind === 'frames book' && 'type' in frame && frame.type !== 'ended') {
            expect(book.apply(frame)).toBe('applied');
          }
        }
      }
      if (kind === 'book') {
        books += 1;
        const text = (levels: { price: string; amount: string }[]) =>
          levels.map(({ price, amount }) => `${price} x ${amount}`).join(', ');
        expect(lines).toEqual([`asks ${text(book.asks)}`, `bids ${text(book.bids)}`]);
      }
    }
    expect(frames).toBeGreaterThan(10);
    expect(books).toBe(2);
  });

  test('its message is the one that is signed', () => {
    const shown = blocks().find(({ kind }) => kind === 'text')?.lines ?? [];
    const value = (name: string) =>
      shown.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? '';
    const seconds = (name: string) => Date.parse(value(name)) / 1000;
    const made = signInMessage({
      domain: 'energy.example.org',
      uri: 'https://energy.example.org',
      wallet: shown[1] as string,
      network: Uint8Array.from(Buffer.from(`${value('Chain ID').slice(4)}${'00'.repeat(24)}`, 'hex')),
      nonce: value('Nonce'),
      issuedAt: seconds('Issued At'),
      expiresAt: seconds('Expiration Time'),
    });
    expect(made.split('\n')).toEqual(shown);
    // Another chain is another text.
    const other = networkId('11111111111111111111111111111111', shown[1] as string);
    expect(Buffer.from(other).toString('hex').slice(0, 16)).not.toBe(value('Chain ID').slice(4));
  });
});

const change = (
  type: 'snapshot' | 'event',
  position: { epoch?: string; after?: number; sequence: number },
  items: LiveItem[],
  removed: string[] = [],
): LiveSnapshot | LiveChange =>
  ({
    channel: 'orders',
    type,
    epoch: position.epoch ?? 'e',
    sequence: position.sequence,
    ...(type === 'event' && { after: position.after ?? position.sequence - 1 }),
    data: type === 'snapshot' ? { items } : { items, removed },
  }) as LiveSnapshot | LiveChange;
const order = (address: string, status = 'open') => ({ address, status });

describe('a list that follows a channel', () => {
  test('takes news in front, changes in place, and removes what is gone', () => {
    const list = new ListReplica('orders', 3);
    expect(list.apply(change('event', { sequence: 1 }, []))).toBe('missed');
    list.apply(change('snapshot', { sequence: 4 }, [order('b'), order('a')]));
    expect(list.apply(change('event', { sequence: 5 }, [order('c'), order('a', 'filled')]))).toBe('applied');
    expect(list.items).toEqual([order('c'), order('b'), order('a', 'filled')]);
    expect(list.apply(change('event', { sequence: 5 }, [order('x')]))).toBe('known');
    expect(list.apply(change('event', { sequence: 7 }, [order('x')]))).toBe('missed');
    expect(list.apply(change('event', { sequence: 6, epoch: 'other' }, [order('x')]))).toBe('missed');
    expect(list.apply(change('event', { after: 3, sequence: 6 }, [order('d')], ['b']))).toBe('applied');
    expect(list.items.map(({ address }) => address)).toEqual(['d', 'c', 'a']);
    list.apply(change('event', { sequence: 7 }, [order('e')]));
    expect(list.items.map(({ address }) => address)).toEqual(['e', 'd', 'c']);
    expect(list.position).toEqual({ epoch: 'e', sequence: 7 });
    list.apply(change('snapshot', { epoch: 'f', sequence: 0 }, [order('z')]));
    expect(list.items).toEqual([order('z')]);
  });
});

test('the largest request that makes sense fits', () => {
  const request = LiveRequest.parse({
    id: 'x'.repeat(64),
    op: 'subscribe',
    channel: 'settlements',
    market: '7W6erfUE5fXNCwKWyj2P62qkqhjSRHzGLxHNVXb6mw1B',
    meter_id: 'M'.repeat(32),
    last: { epoch: 'e'.repeat(64), sequence: Number.MAX_SAFE_INTEGER },
  });
  expect(JSON.stringify(request).length).toBeLessThan(MAX_LIVE_REQUEST_BYTES);
});
