/** A gateway that lost its store, and goes on with what the collector has. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { installerTools, MeterSigner, Outbox } from '@gridtokenx/agent';
import { meterAddress, REGISTRY_PROGRAM_ID } from '@gridtokenx/chain';
import {
  decodeBase58,
  decodeReading,
  encodeBase58,
  type LastReading,
  type Reading,
} from '@gridtokenx/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeCertificate, serverTls } from '../agent-tools/testing/certificates.js';
import { Gateway, KEY, until } from '../agent-tools/testing/gateway.js';

let gateway: Gateway;
let server: Server;
let answer: LastReading;
let asked = 0;
beforeEach(async () => {
  gateway = await new Gateway().prepare();
  asked = 0;
  server = createServer(respond);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  gateway.config.collector_url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  gateway.write();
});
const respond: RequestListener = (request, response) => {
  if (request.url?.endsWith('/last-reading')) asked++;
  const body = request.url === '/api/time' ? { time: Math.floor(Date.now() / 1000), iso: '' } : answer;
  response.end(JSON.stringify(body));
};
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await gateway.close();
});

/** What the collector says: this is the meter's last reading. */
function shown(reading: Reading, changes: Partial<LastReading> = {}): LastReading {
  const { bytes, signature } = MeterSigner.fromFile(gateway.keyFile).signReading(reading);
  const { sequence } = reading;
  return {
    meter_id: 'MTR-001',
    time: Math.floor(Date.now() / 1000),
    through: sequence.toString(),
    reading: {
      sequence: sequence.toString(),
      message: encodeBase58(bytes),
      signature: encodeBase58(signature),
      public_key: gateway.publicKey,
    },
    chain: {
      last_sequence: sequence.toString(),
      last_end: reading.intervalEnd,
      produced_total: reading.producedTotal.toString(),
      consumed_total: reading.consumedTotal.toString(),
      surplus_total: reading.surplusTotal.toString(),
    },
    ...changes,
  };
}
const last = (): Reading => ({
  flags: 0,
  sequence: 77n,
  intervalStart: 1_750_000_500,
  intervalEnd: 1_750_001_400,
  producedTotal: 123_000_000_000n,
  consumedTotal: 45_000_000_000n,
  surplusTotal: 123_000_000_000n,
});
const store = (): Outbox =>
  Outbox.open(gateway.folder, { maxBytes: 4 << 20, keepMs: 1e12, recordKeepMs: 1e12 });
describe('gtx agent restore', () => {
  it('goes on 1,000 above, from the signed totals, counts nothing of the time between, and says so', async () => {
    answer = shown(last());
    const { code, out, err } = await gateway.gtx('restore', '--json');
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({
      restored: [
        { meter_id: 'MTR-001', last_sequence: '77', next_sequence: '1077', surplus_total_kwh: '123' },
      ],
      kept: [],
    });
    // The meter's registers have nothing to do with the totals any more.
    gateway.simulator.setEnergy(1, {
      importNkwh: 999_000_000_000n,
      exportNkwh: 888_000_000_000n,
    });
    gateway.simulator.setPower(1, { solar_watts: 0, household_watts: 0 });
    const agent = await gateway.start();
    await until('readings', () => (agent.status().meters[0]?.sequence ?? 0) >= 1078);
    await gateway.stop();
    const outbox = store();
    const [first, second] = outbox.readings('MTR-001').map(({ bytes }) => decodeReading(bytes));
    outbox.close();
    expect(first).toMatchObject({
      sequence: 1_077n,
      // Gap and meter reset.
      flags: 6,
      intervalStart: 1_750_001_400,
      producedTotal: 123_000_000_000n,
      consumedTotal: 45_000_000_000n,
      surplusTotal: 123_000_000_000n,
    });
    expect(second).toMatchObject({ sequence: 1_078n, surplusTotal: 123_000_000_000n });
    expect((second as Reading).flags & 4).toBe(0);
  });

  it('is nothing that the doctor takes for a lost store, before the first reading', async () => {
    answer = shown(last());
    await gateway.gtx('restore');
    const { out } = await gateway.gtx('doctor');
    expect(out).toMatch(/^ok {4}registration MTR-001: registered with this key; reading 77 is on the chain/m);
  });

  it('asks with the certificates that the gateway itself uses, and so does the doctor', async () => {
    const ofBroker = makeCertificate(gateway.folder, 'broker-ca');
    const ofCollector = makeCertificate(gateway.folder, 'collector-ca');
    const client = makeCertificate(gateway.folder, 'client', ofBroker);
    const own = makeCertificate(gateway.folder, 'collector', ofCollector);
    const tls = createTlsServer(serverTls(own, ofBroker), respond);
    await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve));
    try {
      gateway.config.collector_url = `https://127.0.0.1:${(tls.address() as { port: number }).port}`;
      gateway.config.collector_ca_file = ofCollector.cert;
      Object.assign(gateway.config.mqtt, {
        ca_file: ofBroker.cert,
        cert_file: client.cert,
        key_file: client.key,
      });
      gateway.write();
      answer = shown(last());
      const { code, err } = await gateway.gtx('restore');
      expect(err).toBe('');
      expect(code).toBe(0);
      const { out } = await gateway.gtx('doctor');
      expect(out).toMatch(/^ok {4}collector: https:.* answers/m);
      expect(out).toMatch(/^ok {4}registration MTR-001/m);
    } finally {
      tls.closeAllConnections();
      await new Promise((done) => tls.close(done));
    }
  });

  it('leaves a meter with books alone, so that running it twice changes nothing', async () => {
    answer = shown(last());
    await gateway.gtx('restore');
    const outbox = store();
    const before = outbox.loadAccount('MTR-001');
    outbox.close();
    answer = shown({ ...last(), sequence: 500n });
    const { code, out } = await gateway.gtx('restore');
    expect(code).toBe(0);
    expect(out).toContain('left alone');
    expect(asked).toBe(1);
    const again = store();
    expect(again.loadAccount('MTR-001')).toBe(before);
    again.close();
  });

  it('begins above what may have been signed, where the collector has nothing', async () => {
    answer = {
      ...shown(last()),
      through: '0',
      reading: null,
      chain: { ...shown(last()).chain, last_sequence: '0' },
    };
    const { out } = await gateway.gtx('restore');
    expect(out).toContain('goes on with 1000');
  });

  it('takes no reading that its key has not signed, or that the chain is ahead of', async () => {
    const wrong: [string, LastReading][] = [];
    const good = shown(last());
    const signed = good.reading as NonNullable<LastReading['reading']>;
    const other = shown({ ...last(), sequence: 78n }).reading as NonNullable<LastReading['reading']>;
    wrong.push(['not signed with this key', { ...good, reading: { ...signed, message: other.message } }]);
    wrong.push(['not the signed one', { ...good, reading: { ...signed, sequence: '76' } }]);
    wrong.push(['the chain has reading 90', { ...good, chain: { ...good.chain, last_sequence: '90' } }]);
    wrong.push(['the chain has reading 77', { ...good, reading: null }]);
    wrong.push(['it is about OTHER', { ...good, meter_id: 'OTHER' }]);
    for (const [words, body] of wrong) {
      answer = body;
      const { code, err } = await gateway.gtx('restore');
      expect(code, words).toBe(4);
      expect(err).toContain(words);
      const outbox = store();
      expect(outbox.loadAccount('MTR-001')).toBeUndefined();
      outbox.close();
    }
  });

  it('asks the chain itself where it is told to', async () => {
    const { meterAccountAddress, REGISTRY_PROGRAM } = await installerTools();
    expect(REGISTRY_PROGRAM).toBe(REGISTRY_PROGRAM_ID.toBase58());
    for (const id of ['MTR-001', 'a', 'X'.repeat(32), 'some.meter_1', 'MTR-777']) {
      expect(meterAccountAddress(id)).toBe(meterAddress(id).toBase58());
    }
    const account = (lastSequence: bigint, publicKey: string): Buffer => {
      const data = Buffer.alloc(300);
      Buffer.from([5, 115, 227, 240, 63, 166, 206, 182]).copy(data);
      data.write('MTR-001', 8);
      Buffer.from(decodeBase58(publicKey)).copy(data, 72);
      data.writeBigUInt64LE(lastSequence, 136);
      return data;
    };
    let value: unknown = null;
    const node = createServer((request, response) => {
      let text = '';
      request.on('data', (part) => {
        text += part;
      });
      request.on('end', () => {
        expect(JSON.parse(text).params[0]).toBe(meterAddress('MTR-001').toBase58());
        response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { context: { slot: 1 }, value } }));
      });
    });
    await new Promise<void>((resolve) => node.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(node.address() as { port: number }).port}`;
    const owner = REGISTRY_PROGRAM;
    const of = (data: Buffer) => ({ owner, data: [data.toString('base64'), 'base64'] });
    try {
      answer = shown(last());
      const wrong: [unknown, RegExp, number][] = [
        [null, /the chain has no such meter/, 4],
        [of(account(78n, gateway.publicKey)), /the chain has reading 78, and the last one shown is 77/, 4],
        [of(account(77n, KEY)), /another key/, 4],
        [{ owner: KEY, data: of(account(77n, gateway.publicKey)).data }, /CHAIN_UNAVAILABLE/, 3],
        [{}, /CHAIN_UNAVAILABLE/, 3],
      ];
      for (const [what, words, wanted] of wrong) {
        value = what;
        const { code, err } = await gateway.gtx('restore', '--solana-rpc-url', url);
        expect(err).toMatch(words);
        expect(code).toBe(wanted);
      }
      value = of(account(77n, gateway.publicKey));
      expect((await gateway.gtx('restore', '--solana-rpc-url', 'ftp://x')).code).toBe(2);
      const { code, out } = await gateway.gtx('restore', '--solana-rpc-url', url);
      expect(code).toBe(0);
      expect(out).toContain('goes on with 1077');
    } finally {
      node.close();
    }
  });

  it('does not touch the store of a running gateway', async () => {
    answer = shown(last());
    await gateway.start();
    const { code, err } = await gateway.gtx('restore');
    expect(code).toBe(5);
    expect(err).toContain('DATA_DIR_IN_USE');
    expect(asked).toBe(0);
  });

  it('does for the other meters what a crash has left, and asks nobody for those that are done', async () => {
    answer = shown(last());
    const [meter] = gateway.config.meters;
    if (meter === undefined) throw new Error('no meter');
    const [device] = meter.devices;
    if (device === undefined) throw new Error('no device');
    // The answer is about the first meter: the second one's restoration fails in the middle.
    gateway.config.meters = [
      meter,
      { ...meter, id: 'MTR-002', wallet: KEY, devices: [{ ...structuredClone(device), unit: 2 }] },
    ];
    gateway.write();
    expect((await gateway.gtx('restore')).code).toBe(4);
    answer = { ...shown(last()), meter_id: 'MTR-002' };
    const { code, out } = await gateway.gtx('restore', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ restored: [{ meter_id: 'MTR-002' }], kept: ['MTR-001'] });
  });
});
