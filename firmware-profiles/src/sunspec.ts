/**
 * SunSpec: finds the models that a device offers and turns a profile that is written relative to a model into
 * one with the device's own addresses.
 *
 * Sources: SunSpec Alliance, "SunSpec Device Information Model Specification" (base addresses, "SunS", model
 * chain, end model, point types and their "not implemented" contents, scale factors) and the model
 * definitions of its "Information Model Reference" of 2016-04-20, the same as
 * https://github.com/sunspec/models (model ids, lengths and offsets).
 */
import { ProfileError } from './error.js';
import { ENERGY_UNITS, type MeterProfile, type Quantity, type RegisterDefinition } from './schema.js';

/**
 * Reads 16-bit registers of one device (a `Uint16Array` or an array of numbers). Undefined: the device refused (it has no such registers). Throws
 * whatever its bus throws when the device does not answer.
 */
export type ReadRegisters = (
  functionCode: 3 | 4,
  address: number,
  count: number,
) => Promise<ArrayLike<number> | undefined>;

/** What a device says of itself in its common model. Empty texts where it says nothing. */
export interface SunSpecIdentity {
  manufacturer: string;
  model: string;
  options: string;
  version: string;
  serialNumber: string;
}

/** One model of the chain. */
export interface SunSpecModel {
  id: number;
  /** Protocol address of its first register, which holds the id; the length follows, then the points. */
  address: number;
  /** Registers after the length. */
  length: number;
}

/** A device that speaks SunSpec. */
export interface SunSpecDevice {
  /** Protocol address of "SunS". */
  base: number;
  identity: SunSpecIdentity;
  /** In the order of the chain, the common model included. */
  models: SunSpecModel[];
  /** False when the chain broke off without its end model. */
  complete: boolean;
}

/** A profile with addresses that can be read, and the device they were found in. */
export interface ResolvedProfile {
  profile: MeterProfile;
  /** Undefined for profiles that are not written relative to a SunSpec model. */
  device?: SunSpecDevice;
}

/** "The base register shall be one of": protocol addresses, likeliest first. */
export const SUNSPEC_BASES = [40_000, 50_000, 0] as const;
const SUNS = [0x5375, 0x6e53] as const;
const COMMON = 1;
const END = 0xffff;
const FUNCTION_CODE = 3;
/** No device known has more than some 30; the chain of a broken one must end somewhere. */
const MOST_MODELS = 96;
const LAST_ADDRESS = 0xffff;
/** Content of a scale factor that is not implemented. Others are -10 to 10. */
const LARGEST_SCALE_FACTOR = 10;

/** Least lengths, from the model definitions. The common model may lack its last register, the padding. */
const LENGTHS: ReadonlyMap<number, number> = new Map<number, number>([
  [COMMON, 65],
  ...[101, 102, 103].map((id): [number, number] => [id, 50]),
  ...[111, 112, 113].map((id): [number, number] => [id, 60]),
  ...[201, 202, 203, 204].map((id): [number, number] => [id, 105]),
  ...[211, 212, 213, 214].map((id): [number, number] => [id, 124]),
]);

/**
 * Looks for "SunS" at the three base addresses and walks the chain of models. Takes one request for each base
 * that fails, one for each model and three for the identity.
 * @returns undefined when the device has no "SunS"
 * @throws ProfileError METER_VALUE_INVALID when it has one and what follows is no chain of models; what `read`
 *   throws
 */
export async function discoverSunSpec(
  read: ReadRegisters,
  bases: readonly number[] = SUNSPEC_BASES,
): Promise<SunSpecDevice | undefined> {
  for (const base of bases) {
    const mark = await read(FUNCTION_CODE, base, 2);
    if (mark?.length === 2 && mark[0] === SUNS[0] && mark[1] === SUNS[1]) {
      const { models, complete } = await walk(read, base + 2);
      const common = models[0] as SunSpecModel;
      return { base, identity: await readIdentity(read, common.address + 2), models, complete };
    }
  }
  return undefined;
}

/** The device's first model that a profile is written for. */
export function sunSpecModelFor(profile: MeterProfile, device: SunSpecDevice): SunSpecModel | undefined {
  return device.models.find(({ id }) => profile.sunspec?.models.includes(id));
}

/**
 * The profile with the addresses of this device: reads as any other profile. Its `assumes` say that the model
 * still stands where it was found, and how long it is.
 * @param scaleFactors contents of scale factors, by absolute address, if they were read: from them follows
 *   where a 32-bit accumulator starts again from 0
 * @throws ProfileError METER_VALUE_INVALID when the device lacks the model or has it in another length,
 *   PROFILE_INVALID when the profile is not written relative to a model
 */
export function bindSunSpec(
  profile: MeterProfile,
  device: SunSpecDevice,
  scaleFactors: ReadonlyMap<number, number> = new Map(),
): MeterProfile {
  const { sunspec, ...rest } = profile;
  if (sunspec === undefined) {
    throw new ProfileError('PROFILE_INVALID', `profile ${profile.id} is not written for a SunSpec model`);
  }
  const model = sunSpecModelFor(profile, device);
  if (model === undefined) {
    const offered = device.models.map(({ id }) => id).join(', ');
    throw new ProfileError(
      'METER_VALUE_INVALID',
      `the device has none of the SunSpec models ${sunspec.models.join(', ')}; it has ${offered}`,
    );
  }
  const registers: Partial<Record<Quantity, RegisterDefinition>> = {};
  for (const [name, register] of Object.entries(profile.registers) as [Quantity, RegisterDefinition][]) {
    if (!has(model.id, name)) continue;
    const moved = moveRegister(register, model.address);
    const rollover = rolloverOf(moved, scaleFactors);
    registers[name] = rollover === undefined ? moved : { ...moved, rollover_at: rollover };
  }
  const end = model.address + model.length + 1;
  // The common model before the model says which device this is: a second one belongs to a meter behind it.
  const { address: common } = device.models.findLast(
    ({ id, address }) => id === COMMON && address < model.address,
  ) ?? { address: undefined };
  if (common !== undefined) {
    registers.serial_number = {
      name: 'SN',
      address: hex(common + 50),
      type: 'ascii',
      length: 16,
      unit: '1',
      scale: '1',
    };
  }
  const { manufacturer, model: name } = device.identity;
  return {
    ...rest,
    manufacturer: manufacturer || profile.manufacturer,
    model: name || profile.model,
    phases: model.id % 10 === 1 ? 1 : profile.phases,
    readable: [
      { function_code: FUNCTION_CODE, first: hex(model.address), last: hex(end) },
      ...(common === undefined
        ? []
        : [{ function_code: FUNCTION_CODE, first: hex(common), last: hex(common + 65) } as const]),
      ...profile.readable
        .filter((range) => range.function_code !== FUNCTION_CODE)
        .map((range) => ({
          ...range,
          first: move(range.first, model.address),
          last: move(range.last, model.address),
        })),
    ],
    registers,
    identification: {
      certainty: 'family',
      probes: [
        {
          name: 'SunS',
          function_code: FUNCTION_CODE,
          address: hex(device.base),
          type: 'uint32',
          equals: [SUNS[0] * 0x10000 + SUNS[1]],
          source: 'SunSpec: the mark before the first model',
        },
      ],
    },
    assumes: [
      ...(profile.assumes ?? []).map((one) => ({ ...one, address: move(one.address, model.address) })),
      {
        name: 'SunSpec model',
        function_code: FUNCTION_CODE,
        address: hex(model.address),
        type: 'uint16',
        equals: [model.id],
        otherwise: 'The device has changed its chain of models: it must be walked again.',
      },
      {
        name: 'Length of the SunSpec model',
        function_code: FUNCTION_CODE,
        address: hex(model.address + 1),
        type: 'uint16',
        equals: [model.length],
        otherwise: 'The device has changed its chain of models: it must be walked again.',
      },
    ],
  };
}

/**
 * What a profile means on this device: itself, or, when it is written relative to a SunSpec model, its
 * concrete form. To be called when a device is first read and again after it has been away.
 * @throws ProfileError METER_VALUE_INVALID when the device does not have what the profile is written for; what
 *   `read` throws
 */
export async function resolveSunSpec(profile: MeterProfile, read: ReadRegisters): Promise<ResolvedProfile> {
  if (profile.sunspec === undefined) return { profile };
  const device = await discoverSunSpec(read);
  if (device === undefined) {
    throw new ProfileError(
      'METER_VALUE_INVALID',
      `the device does not speak SunSpec: no "SunS" at ${SUNSPEC_BASES.join(', ')}`,
    );
  }
  const unscaled = bindSunSpec(profile, device);
  const scaleFactors = new Map<number, number>();
  for (const register of Object.values(unscaled.registers)) {
    for (const by of accumulates(register) ? (register.scale_by ?? []) : []) {
      const address = Number(by.address);
      if (by.kind !== 'exponent' || scaleFactors.has(address)) continue;
      const [content] = words(await read(FUNCTION_CODE, address, 1));
      if (content !== undefined) scaleFactors.set(address, content);
    }
  }
  return { profile: bindSunSpec(profile, device, scaleFactors), device };
}

/** The models from `start` on, up to the end model. */
async function walk(
  read: ReadRegisters,
  start: number,
): Promise<{ models: SunSpecModel[]; complete: boolean }> {
  const models: SunSpecModel[] = [];
  const broken = (what: string) =>
    new ProfileError('METER_VALUE_INVALID', `the device's chain of SunSpec models is broken: ${what}`);
  // Addresses only rise, by 2 at least, so nothing is seen twice.
  for (let address = start; ; ) {
    const header = address + 1 <= LAST_ADDRESS ? await read(FUNCTION_CODE, address, 2) : undefined;
    const [id, length] = words(header);
    if (id === undefined || length === undefined || id === END) {
      if (models.length === 0) throw broken('it holds no model');
      return { models, complete: id === END };
    }
    const at = `model ${id} at ${address}`;
    if (id === 0) throw broken(`${at} is none`);
    if (models.length === 0 && id !== COMMON)
      throw broken(`it begins with ${at} instead of the common model 1`);
    const least = LENGTHS.get(id) ?? 0;
    if (length < least) throw broken(`${at} has ${length} registers instead of ${least}`);
    if (address + 1 + length > LAST_ADDRESS) throw broken(`${at} with ${length} registers reaches too far`);
    models.push({ id, address, length });
    if (models.length > MOST_MODELS) throw broken(`it does not end after ${MOST_MODELS} models`);
    address += 2 + length;
  }
}

/** @param start of the first point of a common model */
async function readIdentity(read: ReadRegisters, start: number): Promise<SunSpecIdentity> {
  // Offsets and lengths of model 1: Mn 0 (16), Md 16 (16), Opt 32 (8), Vr 40 (8), SN 48 (16).
  const names = words(await read(FUNCTION_CODE, start, 32));
  const versions = words(await read(FUNCTION_CODE, start + 32, 16));
  const serial = words(await read(FUNCTION_CODE, start + 48, 16));
  return {
    manufacturer: text(names.slice(0, 16)),
    model: text(names.slice(16)),
    options: text(versions.slice(0, 8)),
    version: text(versions.slice(8)),
    serialNumber: text(serial),
  };
}

/** Up to the first zero; what is no printable ASCII (0x8000 and such) is left out. */
function text(content: readonly number[]): string {
  let result = '';
  for (const byte of content.flatMap((word) => [word >> 8, word & 0xff])) {
    if (byte === 0) break;
    if (byte >= 0x20 && byte < 0x7f) result += String.fromCharCode(byte);
  }
  return result.trim();
}

/** What was read; nothing where the device refused. */
function words(answer: ArrayLike<number> | undefined): number[] {
  return Array.from(answer ?? []);
}

/** Whether a model has a quantity: the last digit says single phase, split phase, star or delta. */
function has(model: number, name: Quantity): boolean {
  const wiring = model % 10;
  if (wiring === 1) return !/_l[23](?:_l[123])?$/.test(name) && name !== 'voltage_l1_l2';
  if (wiring === 2) return !/_l3(?:_l1)?$/.test(name) && name !== 'voltage_l2_l3';
  return wiring !== 4 || !/^voltage_l[123]$/.test(name);
}

function moveRegister(register: RegisterDefinition, by: number): RegisterDefinition {
  const { number: _, plus, scale_by: scaleBy, ...rest } = register;
  return {
    ...rest,
    address: move(register.address, by),
    ...(plus && { plus: plus.map((part) => ({ ...part, address: move(part.address, by) })) }),
    ...(scaleBy && { scale_by: scaleBy.map((part) => ({ ...part, address: move(part.address, by) })) }),
  };
}

/** True for accumulators: they count up and start again from 0. */
function accumulates(register: RegisterDefinition): boolean {
  return register.unit in ENERGY_UNITS && register.type.startsWith('uint') && register.plus === undefined;
}

/** 2^32 x 10^(scale factor) for a 32-bit accumulator, as text in its unit. */
function rolloverOf(
  register: RegisterDefinition,
  scaleFactors: ReadonlyMap<number, number>,
): string | undefined {
  const [by, ...more] = register.scale_by ?? [];
  if (!accumulates(register) || by?.kind !== 'exponent' || more.length > 0 || register.scale !== '1')
    return undefined;
  const content = scaleFactors.get(Number(by.address));
  if (content === undefined) return undefined;
  const exponent = (content << 16) >> 16;
  if (Math.abs(exponent) > LARGEST_SCALE_FACTOR) return undefined;
  const bits = register.type === 'uint64' ? 64n : register.type === 'uint32' ? 32n : 16n;
  const digits = (1n << bits).toString();
  if (exponent >= 0) return digits + '0'.repeat(exponent);
  const whole = digits.slice(0, exponent) || '0';
  const fraction = digits.slice(exponent);
  return fraction.length <= 9 ? `${whole}.${fraction}` : undefined;
}

function move(address: string, by: number): string {
  return hex(Number(address) + by);
}

function hex(address: number): string {
  if (address > LAST_ADDRESS) {
    throw new ProfileError('METER_VALUE_INVALID', `the SunSpec model reaches beyond address ${LAST_ADDRESS}`);
  }
  return `0x${address.toString(16).toUpperCase().padStart(4, '0')}`;
}
