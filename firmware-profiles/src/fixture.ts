/** Fixtures: raw registers and what they mean, worked from the manufacturer's document. */
import { z } from 'zod';
import { decodeRegisters, probeHolds } from './decode.js';
import { ProfileError, type ProfileIssue } from './error.js';
import {
  type MeterProfile,
  QUANTITIES,
  type Quantity,
  type RegisterDefinition,
  wordCount,
} from './schema.js';

const quantity = z.enum(QUANTITIES).describe('Which register of the profile');
const address = z.string().regex(/^0x[0-9A-F]{4}$/, 'must look like 0x0048');
const words = z
  .array(z.string().regex(/^[0-9A-Fa-f]{4}$/, 'must be four hexadecimal digits'))
  .min(1)
  .describe('Registers in the order on the wire: those of the quantity, then of `plus`, then of `scale_by`');

export const fixtureSchema = z.strictObject({
  about: z.string().min(1).describe('Document, page or table, and how the values were computed'),
  cases: z
    .array(
      z
        .strictObject({
          quantity,
          address: z
            .union([address, z.array(address).min(2)])
            .optional()
            .describe(
              'Where the document puts the register; a list where the value is made of several. The profile must say the same',
            ),
          words,
          value: z.number().optional().describe('What it means, in the unit of the register'),
          nkwh: z
            .string()
            .regex(/^-?\d+$/, 'must be a whole number of nkWh as text')
            .optional()
            .describe('Energy: what it means in nkWh (1e-9 kWh), rounded down'),
          text: z.string().optional().describe('What a text means'),
          note: z.string().optional().describe('Which example of the document, or how it was computed'),
        })
        .refine(
          (one) => [one.value, one.nkwh, one.text].filter((value) => value !== undefined).length === 1,
          'needs exactly one of value, nkwh and text',
        ),
    )
    .min(1)
    .describe('Contents and what they mean'),
  refused: z
    .array(z.strictObject({ quantity, words, note: z.string().min(1).describe('Why') }))
    .default([])
    .describe('Contents that must never become a value'),
  identification: z
    .array(
      z.strictObject({
        probe: z.string().describe('Name of the probe'),
        words,
        holds: z.boolean().describe('Whether the probe must hold for this content'),
        note: z.string().optional().describe('What it is'),
      }),
    )
    .default([])
    .describe('Contents of the probes, by their name'),
});
export type Fixture = z.infer<typeof fixtureSchema>;

/** What a profile makes of its fixture that it should not. Empty when all is right. */
export function fixtureFaults(profile: MeterProfile, fixture: Fixture): ProfileIssue[] {
  const faults: ProfileIssue[] = [];
  const numbers = (list: readonly string[]) => list.map((word) => Number.parseInt(word, 16));
  const attempt = (path: string, what: () => string | undefined) => {
    let message: string | undefined;
    try {
      message = what();
    } catch (error) {
      if (!(error instanceof ProfileError)) throw error;
      message = error.message;
    }
    if (message !== undefined) faults.push({ path, message });
  };
  for (const [index, one] of fixture.cases.entries()) {
    attempt(`cases.${index}`, () => {
      const register = profile.registers[one.quantity];
      if (one.address !== undefined && register !== undefined) {
        const is = addressesOf(register).join(', ');
        const should = [one.address].flat().join(', ');
        if (is !== should) return `${one.quantity} is at ${should}, not at ${is}`;
      }
      const decoded = decodeRegisters(profile, one.quantity, numbers(one.words));
      const [is, should] =
        decoded.kind === 'energy'
          ? [`${decoded.nkwh} nkWh`, one.nkwh === undefined ? 'no energy' : `${one.nkwh} nkWh`]
          : decoded.kind === 'text'
            ? [JSON.stringify(decoded.text), one.text === undefined ? 'no text' : JSON.stringify(one.text)]
            : [String(decoded.value), one.value === undefined ? 'no number' : String(one.value)];
      return is === should ? undefined : `${one.quantity} ${one.words.join(' ')} is ${is}, not ${should}`;
    });
  }
  for (const [index, one] of fixture.refused.entries()) {
    attempt(`refused.${index}`, () => {
      try {
        decodeRegisters(profile, one.quantity, numbers(one.words));
      } catch (error) {
        if (error instanceof ProfileError && error.code === 'METER_VALUE_INVALID') return undefined;
        throw error;
      }
      return `${one.quantity} ${one.words.join(' ')} is taken for a value (${one.note})`;
    });
  }
  for (const [index, one] of fixture.identification.entries()) {
    attempt(`identification.${index}`, () => {
      const probe = profile.identification.probes.find(({ name }) => name === one.probe);
      if (probe === undefined) return `the profile has no probe "${one.probe}"`;
      return probeHolds(profile, probe, numbers(one.words)) === one.holds
        ? undefined
        : `probe "${one.probe}" ${one.holds ? 'does not hold' : 'holds'} for ${one.words.join(' ')}`;
    });
  }
  return faults;
}

/** What a fixture leaves unproved: each energy register and the roles' power (with their places), each
 * probe. */
export function fixtureGaps(profile: MeterProfile, fixture: Fixture): string[] {
  const shown = new Set<Quantity>(fixture.cases.map((one) => one.quantity));
  const placed = new Set<Quantity>(
    fixture.cases
      .filter(({ quantity: name, address: place }) => {
        const register = profile.registers[name];
        return register !== undefined && [place ?? []].flat().length === addressesOf(register).length;
      })
      .map((one) => one.quantity),
  );
  const wanted = new Set<Quantity>(
    (Object.keys(profile.registers) as Quantity[]).filter((name) => name.startsWith('energy_')),
  );
  for (const role of Object.values(profile.roles)) if (role !== undefined) wanted.add(role.power);
  return [
    ...[...wanted].filter((name) => !shown.has(name)).map((name) => `no case for ${name}`),
    ...[...wanted]
      .filter((name) => shown.has(name) && !placed.has(name))
      .map((name) => `no address for ${name}`),
    ...profile.identification.probes
      .filter((probe) => !fixture.identification.some((one) => one.probe === probe.name && one.holds))
      .map((probe) => `no identification for probe "${probe.name}" (${wordCount(probe)} registers)`),
  ];
}

/** Where the registers of a value are: its own, `plus`, `scale_by`. */
function addressesOf(register: RegisterDefinition): string[] {
  return [register, ...(register.plus ?? []), ...(register.scale_by ?? [])].map((piece) => piece.address);
}
