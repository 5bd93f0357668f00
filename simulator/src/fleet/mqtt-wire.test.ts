import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Frame, FrameReader, preparePublish, publishOf, WireClient } from './mqtt-wire.js';

function readInPieces(bytes: Buffer, cuts: number[]): Frame[] {
  const reader = new FrameReader();
  const frames: Frame[] = [];
  const edges = [...new Set(cuts.map((cut) => cut % bytes.length))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...edges, bytes.length]) {
    frames.push(...reader.read(bytes.subarray(from, to)));
    from = to;
  }
  return frames;
}

describe('the MQTT of the load generator', () => {
  it('makes a PUBLISH as 3.3 says', () => {
    const { bytes, idOffset } = preparePublish('a/b', 'hi');
    bytes.writeUInt16BE(10, idOffset);
    expect(bytes.toString('hex')).toBe('32090003612f62000a6869');
  });

  it('writes lengths above 127 with more than one byte', () => {
    expect(preparePublish('t', 'x'.repeat(316)).bytes.subarray(0, 3).toString('hex')).toBe('32c102');
  });

  it('finds every packet, wherever the stream is cut', () => {
    const message = fc.tuple(fc.stringMatching(/^[a-z/]{1,40}$/), fc.string({ maxLength: 400 }));
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 5 }), fc.array(fc.nat()), (messages, cuts) => {
        const packets = messages.map(([topic, payload], index) => {
          const { bytes, idOffset } = preparePublish(topic, payload);
          bytes.writeUInt16BE(index + 1, idOffset);
          return bytes;
        });
        const found = readInPieces(Buffer.concat(packets), cuts).map(publishOf);
        expect(found.map(({ topic, payload, id }) => [topic, payload.toString('utf8'), id])).toEqual(
          messages.map(([topic, payload], index) => [
            topic,
            Buffer.from(payload).toString('utf8'),
            index + 1,
          ]),
        );
      }),
    );
  });

  it('refuses a length of more than four bytes', () => {
    expect(() => [...new FrameReader().read(Buffer.from('30ffffffff01', 'hex'))]).toThrow(/MQTT/);
  });
});

describe('a connection of the load generator', () => {
  /** A client of a broker that answers CONNECT and what follows as told. */
  async function clientOf(answers: ((socket: Socket) => void)[]) {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      let answered = 0;
      sockets.push(socket.on('error', () => undefined));
      socket.on('data', () => answers[answered++]?.(socket));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    let lost = 0;
    const client = new WireClient({
      url: `mqtt://127.0.0.1:${(server.address() as { port: number }).port}`,
      clientId: 'c',
      username: 'u',
      password: 'p',
      onMessage: () => undefined,
      onLost: () => {
        lost += 1;
      },
    });
    onTestFinished(() => client.stop());
    const closed = () => Promise.all(sockets.map((socket) => socket.closed || once(socket, 'close')));
    return { client, sockets, closed, lost: () => lost };
  }
  /** CONNACK, 3.2. */
  const connack = (code: number) => Buffer.from([0x20, 2, 0, code]);

  it('that ends before the broker has answered the login has failed, once', async () => {
    const { client, closed, lost } = await clientOf([(socket) => socket.destroy()]);
    await expect(client.start()).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' });
    await closed();
    expect(lost()).toBe(0);
  });

  it('whose login is refused has failed, once, and is not kept', async () => {
    const { client, closed, lost } = await clientOf([(socket) => socket.write(connack(5))]);
    await expect(client.start()).rejects.toMatchObject({ code: 'LOGIN_REFUSED' });
    await closed();
    expect(lost()).toBe(0);
  });

  it('that ends before a subscription is answered has failed, once', async () => {
    const { client, closed, lost } = await clientOf([
      (socket) => socket.write(connack(0)),
      (socket) => socket.destroy(),
    ]);
    await client.start();
    await expect(client.subscribe(['a'])).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' });
    await closed();
    expect(lost()).toBe(0);
  });

  it('that ends later is told of once', async () => {
    const { client, sockets, lost } = await clientOf([(socket) => socket.write(connack(0))]);
    await client.start();
    // No MQTT, and then the end.
    sockets[0]?.end(Buffer.from('30ffffffff01', 'hex'));
    await expect.poll(lost, { timeout: 60_000 }).toBe(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(lost()).toBe(1);
  });
});
