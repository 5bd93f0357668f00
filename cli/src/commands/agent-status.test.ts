import { createServer } from 'node:http';
import { join } from 'node:path';
import { MeterSigner, Outbox } from '@gridtokenx/agent';
import { freePort } from '@gridtokenx/protocol/testing/port';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Gateway, until } from '../agent-tools/testing/gateway.js';

let gateway: Gateway;
beforeEach(async () => {
  gateway = await new Gateway().prepare();
});
afterEach(() => gateway.close());

describe('gtx agent status', () => {
  it('shows what a running gateway measures and what troubles it', async () => {
    const agent = await gateway.start();
    await until('readings', () => (agent.status().meters[0]?.sequence ?? 0) >= 1);
    await until('the alert', () => agent.status().alerts.some(({ code }) => code === 'BROKER_UNAVAILABLE'));
    const { code, out } = await gateway.gtx('status');
    expect(code).toBe(1);
    expect(out).toContain('NOT CONNECTED');
    expect(out).toMatch(/^ +delivery +none: readings wait in the store$/m);
    expect(out).toMatch(/^MTR-001: healthy.* W$/m);
    expect(out).toMatch(/grid +eastron-sdm630 at address 1: online/);
    expect(out).toMatch(/^ALERT BROKER_UNAVAILABLE/m);
    expect(out).toMatch(/what to do: /);
    const json = JSON.parse((await gateway.gtx('status', '--url', agent.url, '--json')).out) as object;
    expect(json).toMatchObject({
      ok: false,
      url: agent.url,
      meters: [{ id: 'MTR-001', public_key: gateway.publicKey }],
    });
    // The same gateway while its readings take the other way, and one of before ways were told.
    const { broker, ...rest } = json as { broker: object };
    for (const [way, words] of [
      ['mqtt', /^ +delivery +over MQTT$/m],
      ['http', /^ +delivery +over HTTP, since the broker is away$/m],
      [undefined, /^(?!.*\n +delivery )/s],
    ] as const) {
      const server = createServer((_, response) =>
        response.end(JSON.stringify({ ...rest, broker: { ...broker, way } })),
      );
      const port = await freePort();
      await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
      try {
        expect((await gateway.gtx('status', '--url', `http://127.0.0.1:${port}`)).out).toMatch(words);
      } finally {
        server.close();
      }
    }
  });

  it('says that no gateway answers, or something that is none', async () => {
    const none = await gateway.gtx('status');
    expect(none.code).toBe(3);
    expect(none.err).toContain('AGENT_UNAVAILABLE');
    const server = createServer((_, response) => response.end('{"hello":1}'));
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    try {
      const other = await gateway.gtx('status', '--url', `http://127.0.0.1:${port}`);
      expect(other.code).toBe(3);
      expect(other.err).toContain('is no gateway');
    } finally {
      server.close();
    }
  });

  it('needs --url where the port is chosen by chance', async () => {
    gateway.config.http = { port: 0 };
    gateway.write();
    const { code, err } = await gateway.gtx('status');
    expect(code).toBe(2);
    expect(err).toContain('--url');
  });
});

describe('gtx agent readings', () => {
  it('looks into the store beside the running gateway', async () => {
    const agent = await gateway.start();
    await until('readings', () => (agent.status().meters[0]?.sequence ?? 0) >= 3);
    const { code, out } = await gateway.gtx('readings', '--limit', '2', '--json');
    expect(code).toBe(0);
    const { readings } = JSON.parse(out) as {
      readings: { sequence: string; state: string; produced_total_kwh: string }[];
    };
    expect(readings).toHaveLength(2);
    expect(Number(readings[0]?.sequence)).toBe(Number(readings[1]?.sequence) + 1);
    expect(readings[0]).toMatchObject({ meter_id: 'MTR-001', state: 'pending', code: null, sent: null });
    const csv = (await gateway.gtx('readings', '--limit', '3', '--csv')).out.trim().split('\n');
    expect(csv[0]).toMatch(/^meter_id,sequence,interval_start,/);
    expect(csv).toHaveLength(4);
    const alive = agent.status().meters[0]?.sequence ?? 0;
    await until('it goes on', () => (agent.status().meters[0]?.sequence ?? 0) > alive);
  });

  it('says why readings were refused', async () => {
    const signer = MeterSigner.fromFile(gateway.keyFile);
    const outbox = Outbox.open(gateway.folder, { maxBytes: 4 << 20, keepMs: 1e12, recordKeepMs: 1e12 });
    for (const sequence of [1n, 2n]) {
      const reading = {
        flags: 2,
        sequence,
        intervalStart: 1_700_000_000 + Number(sequence) * 900,
        intervalEnd: 1_700_000_900 + Number(sequence) * 900,
        producedTotal: sequence * 1_500_000_000n,
        consumedTotal: 0n,
        surplusTotal: sequence * 1_500_000_000n,
      };
      const { bytes, signature } = signer.signReading(reading);
      outbox.commitReading({
        meterId: 'MTR-001',
        reading,
        bytes,
        signature,
        publicKey: signer.publicKey,
        amount: 1_500_000_000n,
        account: '{}',
        nowMs: 1_700_005_000_000,
      });
    }
    outbox.markSent('MTR-001', [1, 2], 1_700_005_001_000);
    outbox.decide(
      'MTR-001',
      {
        through: 0,
        stored: [1],
        held: [],
        refused: [{ sequence: 2, code: 'READING_TOO_OLD', retry: 'never' }],
      },
      1_700_005_002_000,
    );
    outbox.close();
    const { out } = await gateway.gtx('readings', '--state', 'refused');
    expect(out).toContain('#2  1.5 kWh  refused READING_TOO_OLD  (gap)');
    expect(out).toMatch(/^READING_TOO_OLD: /m);
    expect(out).not.toContain('#1');
    expect((await gateway.gtx('readings', '--meter', 'OTHER')).out).toBe('No readings.\n');
    expect((await gateway.gtx('readings', '--state', 'lost')).code).toBe(2);
  });

  it('says that there is no store', async () => {
    gateway.config.data_dir = join(gateway.folder, 'none');
    gateway.write();
    const { code, err } = await gateway.gtx('readings');
    expect(code).toBe(4);
    expect(err).toContain('there is no store');
  });
});
