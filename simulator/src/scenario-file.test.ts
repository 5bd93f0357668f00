import { describe, expect, it } from 'vitest';
import { parseScenario } from './scenario-file.js';

function faults(text: string): string {
  try {
    parseScenario(text, 'home.yaml');
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    return (error as Error).message;
  }
  return 'accepted';
}

describe('a scenario file', () => {
  it('may be YAML, JSON or empty', () => {
    expect(parseScenario('', 'x').units).toHaveLength(1);
    expect(parseScenario('{"units": [{"unit": 7}]}', 'x').units[0]?.unit).toBe(7);
    const config = parseScenario('seed: 5\nunits:\n  - unit: 1\n  - { unit: 2, role: production }\n', 'x');
    expect(config).toMatchObject({ seed: '5', units: [{ unit: 1 }, { unit: 2, role: 'production' }] });
  });

  it('names the line and the setting of each fault', () => {
    expect(
      faults(`seed: 1
sites:
  home:
    parts:
      - type: solar
        tilt: 30
      - type: wind
        cut_in: 12
units:
  - unit: 1
    site: home
    of: [roof]
  - unit: 1
faults:
  - unit: 9
    fault: { type: dead }
    at_seconds: 5
  - fault: { type: late }
    at_seconds: 5
`),
    ).toBe(
      [
        'home.yaml:6:9: sites.home.parts.0.tilt: there is no such setting',
        'home.yaml:7:9: sites.home.parts.1: cut_in, rated_speed and cut_out must rise',
        'home.yaml:18:5: faults.1.fault.delay_ms: Invalid input: expected number, received undefined',
      ].join('\n'),
    );
    expect(
      faults(`sites:
  home:
    parts:
      - type: solar
      - type: solar
units:
  - unit: 1
    site: home
    of: [roof]
  - unit: 1
faults:
  - unit: 9
    fault: { type: dead }
    at_seconds: 5
`),
    ).toBe(
      [
        'home.yaml:5:9: sites.home.parts.1: there are two "solar": name them',
        'home.yaml:9:5: units.0.of: site home has no part "roof"; it has solar, solar',
        'home.yaml:10:5: units.1.unit: each unit id may occur once',
        'home.yaml:12:5: faults.0.unit: there is no unit 9',
      ].join('\n'),
    );
  });

  it('that is no YAML says where', () => {
    expect(faults('units: [1\nseed: 2')).toMatch(/^home\.yaml:2:\d+: /);
    expect(faults('place: { timezone: Mars/Olympus }')).toMatch(
      /home\.yaml:1:10: place\.timezone: is not a time zone/,
    );
  });
});
