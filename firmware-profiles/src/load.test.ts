import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Fixture,
  fixtureFaults,
  fixtureGaps,
  identify,
  JsonTextError,
  listProfiles,
  loadProfile,
  loadProfileFile,
  type MeterProfile,
  PROFILE_FOLDER,
  ProfileError,
  ProfileLibrary,
  parseJsonText,
  parseProfileText,
} from './index.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-profiles-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const text = (id: string) => readFileSync(join(PROFILE_FOLDER, `${id}.json`), 'utf8');
const put = (name: string, content: string) => {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
};
const issuesOf = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    if (error instanceof ProfileError) return error.issues;
    throw error;
  }
  return [];
};

describe("the user's own profiles", () => {
  it('add to those that come with the program', () => {
    put('acme-one.json', text('eastron-sdm630').replace('"id": "eastron-sdm630"', '"id": "acme-one"'));
    put('profile.schema.json', 'not a profile');
    put('acme-one.fixture.json', 'not a profile');
    put('notes.txt', 'not a profile');
    expect(listProfiles([folder])).toEqual([...listProfiles(), 'acme-one'].sort());
    expect(loadProfile('acme-one', [folder]).registers).toEqual(loadProfile('eastron-sdm630').registers);
    expect(new ProfileLibrary([folder]).origin('acme-one')).toEqual({
      file: join(folder, 'acme-one.json'),
      own: true,
    });
    expect(() => loadProfile('acme-one')).toThrowError(/no meter profile "acme-one"/);
  });

  it('take the place of one with the same id, the last named first', () => {
    const file = put(
      'eastron-sdm630.json',
      text('eastron-sdm630').replace('"min_gap_ms": 250', '"min_gap_ms": 1'),
    );
    expect(loadProfile('eastron-sdm630', [folder]).modbus.min_gap_ms).toBe(1);
    expect(loadProfile('eastron-sdm630', [file]).modbus.min_gap_ms).toBe(1);
    expect(loadProfile('eastron-sdm630', [folder, PROFILE_FOLDER]).modbus.min_gap_ms).toBe(250);
    expect(loadProfile('eastron-sdm630').modbus.min_gap_ms).toBe(250);
  });

  it('are named when they are wrong, and the others still load', () => {
    put('acme-one.json', '{');
    const library = new ProfileLibrary([folder]);
    expect(library.load('eastron-sdm120').id).toBe('eastron-sdm120');
    expect(() => library.load('acme-one')).toThrowError(/acme-one\.json:1:2: expected/);
  });

  it('must bear their id as name, and be there', () => {
    const file = put('other.json', text('eastron-sdm630'));
    expect(() => loadProfileFile(file)).toThrowError(
      /is "eastron-sdm630", but the file is called other\.json/,
    );
    expect(() => new ProfileLibrary([join(folder, 'none')])).toThrowError(
      expect.objectContaining({ code: 'PROFILE_INVALID', message: expect.stringContaining('none') }),
    );
  });

  it('cannot spoil what others load', () => {
    (loadProfile('eastron-sdm630') as { id: string }).id = 'spoiled';
    expect(loadProfile('eastron-sdm630').id).toBe('eastron-sdm630');
  });
});

describe('what is wrong with a profile', () => {
  const good = text('eastron-sdm630');
  const lineOf = (needle: string, source = good) =>
    source.slice(0, source.indexOf(needle)).split('\n').length;

  it('is told by line and column', () => {
    const bad = good
      .replace('"address": "0x0048"', '"address": "0x48"')
      .replace('"parity": "none"', '"parity": "maybe"')
      .replace('"phases": 3,', '"phases": 3, "colour": "red",');
    expect(issuesOf(() => parseProfileText(bad, 'x.json'))).toEqual([
      {
        file: 'x.json',
        path: 'colour',
        line: lineOf('"colour"', bad),
        column: 16,
        message: 'there is no such setting',
      },
      expect.objectContaining({ path: 'modbus.serial.parity', line: lineOf('"parity": "maybe"', bad) }),
      expect.objectContaining({
        path: 'registers.energy_import.address',
        line: lineOf('"0x48"', bad),
        column: 7,
      }),
    ]);
  });

  it('is told for what is missing, where its parent stands', () => {
    const bad = good.replace(/"manufacturer": .*\n/, '');
    expect(issuesOf(() => parseProfileText(bad, 'x.json'))).toEqual([
      { file: 'x.json', line: 1, column: 1, path: 'manufacturer', message: 'is missing' },
    ]);
  });

  it('is told for a rule between settings', () => {
    const bad = good.replace('"produced": "energy_export"', '"produced": "energy_net"');
    expect(issuesOf(() => parseProfileText(bad, 'x.json'))).toEqual([
      expect.objectContaining({ path: 'roles.grid.produced', line: lineOf('"energy_net"', bad) }),
    ]);
  });

  it.each([
    ['{"a": 1,}', 1, 9, /comma before/],
    ['{"a": 1\n "b": 2}', 2, 2, /expected "," or "}"/],
    ['{"a": 1, "a": 2}', 1, 10, /twice/],
    ['{"a": 01}', 1, 7, /not a value/],
    ['{"a": "x}', 1, 7, /no end|not a text/],
    ["{'a': 1}", 1, 2, /double quotes/],
    ['{"a" 1}', 1, 6, /expected ":"/],
    ['[1, 2', 1, 6, /the end of the file/],
    ['{} x', 1, 4, /expected the end/],
    ['', 1, 1, /the end of the file/],
    ['[tru]', 1, 2, /a value/],
    ['['.repeat(100), 1, 66, /deep/],
  ])('%s is no JSON', (source, line, column, message) => {
    try {
      parseJsonText(source);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(JsonTextError);
      expect((error as JsonTextError).position).toEqual({ line, column });
      expect((error as Error).message).toMatch(message);
    }
  });

  it('reads JSON as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(0, 2), (source, indent) => {
        const value = JSON.parse(source);
        // A key twice, which JSON.parse takes, does not survive being written again.
        const written = JSON.stringify(value, null, indent);
        expect(parseJsonText(written).value).toEqual(JSON.parse(written));
      }),
    );
  });
});

describe('a fixture', () => {
  const profile = loadProfile('siemens-pac2200');
  const one = (address: string | string[]): Fixture => ({
    about: 'x',
    cases: [
      {
        quantity: 'energy_import',
        address,
        words: ['3FF0', '0000', '0000', '0000', '0000', '0000', '0000', '0000'],
        nkwh: '1000000',
      },
    ],
    refused: [],
    identification: [],
  });

  it('has the registers where the profile has them, all of them', () => {
    const place = ['0x0321', '0x0325'];
    expect(fixtureFaults(profile, one(place))).toEqual([]);
    for (const wrong of [['0x0321', '0x0329'], ['0x0322', '0x0325'], '0x0321']) {
      expect(fixtureFaults(profile, one(wrong))).toEqual([
        {
          path: 'cases.0',
          message: `energy_import is at ${[wrong].flat().join(', ')}, not at 0x0321, 0x0325`,
        },
      ]);
    }
    expect(fixtureGaps(profile, one(place))).not.toContain('no address for energy_import');
    expect(fixtureGaps(profile, one('0x0321'))).toContain('no address for energy_import');
  });
});

describe('what a device is', () => {
  const sdm = (id: string, code: number) =>
    ({
      ...loadProfile('eastron-sdm630'),
      id,
      identification: {
        certainty: 'model',
        probes: [
          {
            name: 'code',
            function_code: 3,
            address: '0xFC02',
            type: 'uint16',
            equals: [code],
            source: 'test',
          },
        ],
      },
    }) as MeterProfile;
  const guess: MeterProfile = {
    ...sdm('guess', 0),
    identification: {
      certainty: 'signature',
      probes: [
        {
          name: 'voltage',
          function_code: 4,
          address: '0x0000',
          type: 'float32',
          least: 80,
          most: 300,
          source: 'test',
        },
      ],
    },
  };
  const silent: MeterProfile = { ...sdm('silent', 0), identification: { certainty: 'none', probes: [] } };
  const all = [guess, sdm('a', 1), sdm('b', 2), silent];
  const reader = (code: number | undefined, voltage: number[] | undefined) => {
    const asked: string[] = [];
    return {
      asked,
      read: async (functionCode: 3 | 4, address: number, count: number) => {
        asked.push(`${functionCode}/${address}/${count}`);
        if (functionCode === 3) return code === undefined ? undefined : [code];
        return voltage;
      },
    };
  };

  it('is what its identification says, and every question is asked once', async () => {
    const { asked, read } = reader(2, [0x4366, 0]);
    expect((await identify(read, all)).map(({ profile, certainty }) => [profile.id, certainty])).toEqual([
      ['b', 'model'],
    ]);
    expect(asked).toEqual(['3/64514/1']);
  });

  it('is guessed only where nothing says what it is', async () => {
    const known = async (code: number | undefined, voltage: number[] | undefined) =>
      (await identify(reader(code, voltage).read, all)).map(({ profile }) => profile.id);
    expect(await known(undefined, [0x4366, 0])).toEqual(['guess']);
    expect(await known(9, [0x4366, 0])).toEqual(['guess']);
    expect(await known(undefined, [0x7fc0, 0])).toEqual([]);
    expect(await known(undefined, [0x4366])).toEqual([]);
    expect(await known(undefined, undefined)).toEqual([]);
  });
});
