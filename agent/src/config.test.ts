import { readFileSync } from 'node:fs';
import { GtxError } from '@gridtokenx/protocol';
import { describe, expect, it } from 'vitest';
import { parseAgentConfig } from './config.js';
import {
  configReference,
  EXAMPLE_BEGIN,
  exampleOf,
  REFERENCE_BEGIN,
  REFERENCE_END,
} from './config-reference.js';

const KEY = '4zvwRjXUKGfvwnParsHAS3HuSVzV5cA4McphgmoCtajS';
const good = `
data_dir: data
collector_key: ${KEY}
mqtt:
  url: mqtts://collector.example:8883
  ca_file: ca.pem
meters:
  - id: MTR-001
    key_file: keys/meter.json
    wallet: ${KEY}
    mode: bidirectional
    devices:
      - role: grid
        profile: eastron-sdm630
        unit: 1
        connection: {type: rtu, path: /dev/ttyUSB0}
`;

function problems(text: string): string[] {
  try {
    parseAgentConfig(text, 'agent.yaml');
  } catch (error) {
    if (error instanceof GtxError && error.code === 'CONFIG_INVALID') return error.message.split('\n');
    throw error;
  }
  return [];
}

describe('the configuration', () => {
  it('is filled in with defaults, its paths are relative to the file', () => {
    const config = parseAgentConfig(good, '/etc/gridtokenx/agent.yaml');
    expect(config).toMatchObject({
      data_dir: '/etc/gridtokenx/data',
      interval_seconds: 900,
      sample_seconds: 60,
      http: { host: '127.0.0.1', port: 9180 },
      mqtt: { ca_file: '/etc/gridtokenx/ca.pem', window: 32 },
    });
    expect(config.meters[0]?.key_file).toBe('/etc/gridtokenx/keys/meter.json');
  });

  it('is told what is wrong with the line and column of it', () => {
    expect(problems(good.replace('unit: 1', 'unit: 300'))).toEqual([
      expect.stringMatching(/^agent\.yaml:15:9: meters\.0\.devices\.0\.unit: /),
    ]);
    expect(problems(good.replace('profile: eastron-sdm630', 'profile: sdm9'))[0]).toMatch(
      /^agent\.yaml:14:9: .*there is no profile "sdm9"; there are: .*eastron-sdm630/,
    );
    expect(problems(good.replace('role: grid', 'role: production'))).toHaveLength(2);
    expect(problems(good.replace(`collector_key: ${KEY}\n`, ''))[0]).toMatch(
      /^agent\.yaml:2:1: collector_key: /,
    );
    expect(
      problems(good.replace('mode: bidirectional', 'mode: bidirectional\n    colour: red'))[0],
    ).toContain('colour');
    expect(problems('a: [')[0]).toMatch(/^agent\.yaml:1:/);
    expect(problems('')[0]).toMatch(/^agent\.yaml:1:1: /);
    expect(problems(good.replace('data_dir: data', 'data_dir: data\ndata_dir: other'))[0]).toMatch(
      /^agent\.yaml:3:1/,
    );
  });

  it('may not repeat itself by aliases, and says where it does', () => {
    const twice = good
      .replace('path: /dev/ttyUSB0', 'path: &port /dev/ttyUSB0')
      .concat('sample_seconds: *port\n');
    const line = twice.split('\n').findIndex((text) => text.includes('*port')) + 1;
    expect(problems(twice)).toEqual([expect.stringContaining(`agent.yaml:${line}:17: aliases`)]);
  });

  it('wants TLS to another machine', () => {
    expect(problems(good.replace('mqtts://collector', 'mqtts://name:word@collector'))).toEqual([
      expect.stringContaining('must not hold a login'),
    ]);
    const plain = good.replace('mqtts://collector.example:8883', 'mqtt://collector.example:1883');
    expect(problems(plain)[0]).toContain('must use TLS');
    expect(problems(plain.replace('  ca_file: ca.pem', '  allow_unencrypted: true'))).toEqual([]);
    for (const host of ['localhost', '127.0.0.1', '127.9.9.9', '[::1]']) {
      expect(problems(good.replace('mqtts://collector.example:8883', `mqtt://${host}:1883`))).toEqual([]);
    }
  });

  it('wants TLS to a collector on another machine, where readings may go there', () => {
    const plain = `${good}collector_url: http://collector.example\n`;
    expect(problems(plain)[0]).toContain('collector_url: must use TLS');
    expect(problems(plain.replace('http:', 'https:'))).toEqual([]);
    expect(problems(`${good}collector_url: https://name:word@collector.example\n`)).toEqual([
      expect.stringMatching(/^agent\.yaml:\d+:1: collector_url: must not hold a login/),
    ]);
    expect(problems(`${plain}delivery: { http_after_seconds: 0 }\n`)).toEqual([]);
    expect(problems(plain.replace('collector.example\n', '127.0.0.1:8080\n'))).toEqual([]);
  });

  it('does not let two meters sell the energy of one device', () => {
    const meter = good.slice(good.indexOf('  - id'));
    expect(problems(good + meter.replace('MTR-001', 'MTR-002'))[0]).toContain(
      'already belongs to meter MTR-001',
    );
    expect(problems(good + meter)[0]).toContain('is there twice');
  });

  it('is described in the documentation, word for word', () => {
    const page = readFileSync(new URL('../../docs/agent.md', import.meta.url), 'utf8');
    const reference = page.slice(
      page.indexOf(REFERENCE_BEGIN) + REFERENCE_BEGIN.length,
      page.indexOf(REFERENCE_END),
    );
    expect(reference.trim()).toBe(configReference().trim());
    expect(page).toContain(EXAMPLE_BEGIN);
    expect(problems(exampleOf(page))).toEqual([]);
  });
});
