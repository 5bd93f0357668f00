import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { listProfiles, PROFILE_FOLDER } from '@gridtokenx/firmware-profiles';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommandLine } from '../command-line.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-cli-profile-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function gtx(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  let out = '';
  let err = '';
  const code = await runCommandLine(['profile', ...args], {
    streams: {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      isTty: false,
    },
    env: { GTX_DATA_DIR: folder, ...env },
  });
  return { code, out, err };
}

const FIXTURES = fileURLToPath(new URL('../../../firmware-profiles/fixtures/', import.meta.url));
const text = readFileSync(join(PROFILE_FOLDER, 'eastron-sdm630.json'), 'utf8');
const put = (name: string, content: string) => {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
};
const own = () => put('acme-one.json', text.replace('"id": "eastron-sdm630"', '"id": "acme-one"'));

describe('gtx profile list', () => {
  it('names every model, and the user’s own beside them', async () => {
    own();
    const { code, out } = await gtx(['list', '--profile-dir', folder, '--json']);
    const { profiles } = JSON.parse(out) as { profiles: { id: string; own: boolean; roles: string[] }[] };
    expect(code).toBe(0);
    expect(profiles.map(({ id }) => id)).toEqual([...listProfiles(), 'acme-one'].sort());
    expect(profiles.filter((one) => one.own).map(({ id }) => id)).toEqual(['acme-one']);
    expect((await gtx(['list'])).out).toContain(`${listProfiles().length} models.`);
  });

  it('takes the folders of GTX_PROFILE_DIR', async () => {
    own();
    const { out } = await gtx(['list'], { GTX_PROFILE_DIR: `${folder}${delimiter}` });
    expect(out).toMatch(/^acme-one .*your own$/m);
  });

  it('keeps to a kind, and refuses another', async () => {
    const { out } = await gtx(['list', '--kind', 'inverter', '--json']);
    const kinds = (JSON.parse(out) as { profiles: { kind: string }[] }).profiles.map(({ kind }) => kind);
    expect(kinds.every((kind) => kind === 'inverter')).toBe(true);
    expect((await gtx(['list', '--kind', 'kettle'])).code).toBe(2);
  });

  it('says which file of the user’s own is wrong', async () => {
    const file = put('acme-one.json', text.replace('"phases": 3', '"phases": 2'));
    const { code, err } = await gtx(['list', '--profile-dir', folder]);
    expect(code).toBe(2);
    expect(err).toContain(`${file}:7:3: phases:`);
  });

  it('says when a folder is not there', async () => {
    const { code, err } = await gtx(['list', '--profile-dir', join(folder, 'none')]);
    expect(code).toBe(2);
    expect(err).toContain('PROFILE_INVALID');
  });
});

describe('gtx profile show', () => {
  it('gives a start for a profile of one’s own', async () => {
    const { code, out } = await gtx(['show', 'eastron-sdm630', '--json']);
    expect(code).toBe(0);
    put('eastron-sdm630.json', out);
    expect((await gtx(['check', join(folder, 'eastron-sdm630.json')])).code).toBe(0);
  });

  it('tells wiring, settings, registers and sources', async () => {
    const { out } = await gtx(['show', 'siemens-pac2200']);
    expect(out).toMatch(/energy_import +0x0321 float64 Wh \(can be set to zero\)/);
    expect(out).toContain('L1V30415167B-03');
    expect(out).not.toContain('serial line');
    expect((await gtx(['show', 'carlo-gavazzi-em340'])).out).toContain('Measurement mode: 1');
  });

  it('knows no other model', async () => {
    const { code, err } = await gtx(['show', 'kettle']);
    expect(code).toBe(2);
    expect(err).toContain('no meter profile "kettle"');
    expect((await gtx(['show'])).code).toBe(2);
  });
});

describe('gtx profile check', () => {
  it('passes what is right, with advice', async () => {
    const { code, out } = await gtx(['check', own()]);
    expect(code).toBe(0);
    expect(out).toContain('all right: Eastron SDM630-Modbus V2');
    expect(out).toContain('advice: no fixture was given');
  });

  it('names line and column of each fault', async () => {
    const file = put(
      'acme-one.json',
      text
        .replace('"id": "eastron-sdm630"', '"id": "acme-one"')
        .replace('"unit": "kWh"', '"unit": "W"')
        .replace('"min_gap_ms": 250', '"min_gap": 250'),
    );
    const { code, out } = await gtx(['check', file]);
    expect(code).toBe(2);
    const line = text.split('\n').findIndex((one) => one.includes('"min_gap_ms"')) + 1;
    expect(out).toContain(`${file}:${line}:5: modbus.min_gap: there is no such setting`);
    expect(out).toContain('modbus.min_gap_ms: is missing');
    expect(out).toContain('2 faults; it cannot be used');
  });

  it('checks what depends on several settings', async () => {
    const file = put('eastron-sdm630.json', text.replace('"unit": "kWh"', '"unit": "W"'));
    const { code, out } = await gtx(['check', file, '--json']);
    expect(code).toBe(2);
    expect(JSON.parse(out)).toMatchObject({
      files: [
        {
          file,
          usable: false,
          issues: expect.arrayContaining([
            expect.objectContaining({
              path: expect.stringMatching(/unit$/),
              message: 'must be Wh or kWh or MWh',
            }),
          ]),
        },
      ],
    });
  });

  it('checks several files, and one that is no JSON or not there', async () => {
    const good = own();
    const bad = put('bad.json', '{\n  "id": "bad",\n}\n');
    const { code, out } = await gtx(['check', good, bad, join(folder, 'none.json')]);
    expect(code).toBe(2);
    expect(out).toContain(`${good}: all right`);
    expect(out).toContain(`${bad}:3:1: a comma before the closing brace`);
    expect(out).toContain('none.json: cannot read');
  });

  it('decodes a fixture', async () => {
    const file = join(folder, 'eastron-sdm630.json');
    copyFileSync(join(PROFILE_FOLDER, 'eastron-sdm630.json'), file);
    const fixture = join(FIXTURES, 'eastron-sdm630.json');
    const right = await gtx(['check', file, '--fixture', fixture]);
    expect(right.out).toContain('all right');
    expect(right.out).not.toContain('no fixture');
    // The same registers in another order are other values.
    writeFileSync(file, text.replace('"word_order": "high-first"', '"word_order": "low-first"'));
    const wrong = await gtx(['check', file, '--fixture', fixture]);
    expect(wrong.code).toBe(2);
    const place = readFileSync(fixture, 'utf8')
      .split('\n')
      .findIndex((one) => one.includes('"quantity"'));
    expect(wrong.out).toContain(`${fixture}:${place}:5: cases.0: voltage_l1 4366 3333 is`);
    expect((await gtx(['check', file, file, '--fixture', fixture])).code).toBe(2);
  });

  it('says what a fixture leaves out, and when it is none', async () => {
    const file = own();
    const thin = put(
      'thin.json',
      JSON.stringify({
        about: 'x',
        cases: [{ quantity: 'energy_import', words: ['3F80', '0000'], nkwh: '1000000000' }],
      }),
    );
    expect((await gtx(['check', file, '--fixture', thin])).out).toContain(
      'advice: the fixture has no case for energy_export',
    );
    const none = put('none.json', '{"cases": []}');
    const { code, out } = await gtx(['check', file, '--fixture', none]);
    expect(code).toBe(2);
    expect(out).toContain(`${none}:1:1: about: is missing`);
  });
});
