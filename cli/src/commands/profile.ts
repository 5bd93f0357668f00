import { delimiter } from 'node:path';
import {
  checkProfileFile,
  ENERGY_UNITS,
  type MeterProfile,
  ProfileError,
  type ProfileIssue,
  ProfileLibrary,
} from '@gridtokenx/firmware-profiles';
import { GtxError } from '@gridtokenx/protocol';
import type { Command } from 'commander';
import {
  addCommand,
  addGroup,
  type Context,
  type ProgramEnvironment,
  parsedOption,
  valueOption,
} from '../command.js';
import { EXIT } from '../exit-codes.js';
import { type Json, table } from '../output.js';

interface DirOption {
  readonly profileDir?: readonly string[];
}

const profileDir = () =>
  parsedOption(
    '--profile-dir <places>',
    `folders or files with profiles of your own, separated by "${delimiter}" (default: GTX_PROFILE_DIR)`,
    (text) => text.split(delimiter).filter((place) => place !== ''),
  );

/** `gtx profile list|show|check`. */
export function addProfileCommands(program: Command, environment: ProgramEnvironment): void {
  const group = addGroup(
    program,
    'profile',
    'Meter and inverter models: which there are, and check your own.',
  );

  addCommand<DirOption & { readonly kind?: string }>(
    group,
    {
      name: 'list',
      summary: 'The models that a gateway can read.',
      description:
        'The name in the first column is what the gateway’s configuration wants as profile. "document" means that the manufacturer’s document was read; the others say how many transcriptions of it there are.',
      options: [profileDir(), valueOption('--kind <kind>', 'only meter or only inverter')],
      examples: [
        { command: 'gtx profile list', shows: 'All models with their maker and what they can be used for.' },
        {
          command: 'gtx profile list --profile-dir ./my-meters --json',
          shows: 'The same with your own, as JSON.',
        },
      ],
      async action({ profileDir: places, kind }, context) {
        if (kind !== undefined && kind !== 'meter' && kind !== 'inverter') {
          throw new GtxError('CONFIG_INVALID', '--kind is meter or inverter');
        }
        const library = libraryOf(places, context);
        const profiles = library
          .list()
          .map((id) => wrapped(() => library.load(id)))
          .filter((profile) => kind === undefined || profile.kind === kind);
        context.out.result(
          { profiles: profiles.map((profile) => listed(profile, library)) },
          `${table(
            profiles.map((profile) => [
              profile.id,
              `${profile.manufacturer} ${profile.model}; ${Object.keys(profile.roles).join(', ')}; ${profile.verified}${
                library.origin(profile.id)?.own ? '; your own' : ''
              }`,
            ]),
          )}\n${profiles.length} models.`,
        );
        return undefined;
      },
    },
    environment,
  );

  addCommand<DirOption>(
    group,
    {
      name: 'show',
      summary: 'What a profile says: wiring, serial settings, registers, sources.',
      description:
        'With --json the whole profile as it is used, defaults filled in: a start for one of your own.',
      words: { syntax: '<id>', description: 'name of the profile' },
      options: [profileDir()],
      examples: [
        {
          command: 'gtx profile show eastron-sdm630',
          shows: 'How it is wired, and which registers are read.',
        },
        {
          command: 'gtx profile show eastron-sdm630 --json',
          shows: 'The profile as JSON, to copy and change.',
        },
      ],
      async action({ profileDir: places }, context) {
        const library = libraryOf(places, context);
        const id = context.words[0] as string;
        const profile = wrapped(() => library.load(id));
        // Indented, unlike other results: it is meant to be edited.
        context.out.raw(
          `${context.out.json ? JSON.stringify(profile, null, 2) : description(profile, library.origin(id)?.file ?? '')}\n`,
        );
        return undefined;
      },
    },
    environment,
  );

  addCommand<{ readonly fixture?: string }>(
    group,
    {
      name: 'check',
      summary: 'Explain what is wrong with a profile file.',
      description: `Names line and column of every fault. A profile is a JSON file called by its id.
With --fixture also decodes the raw registers in it and compares them with the values that they must mean.
Exit code 0: it can be used (advice may still be printed); 2: it cannot.`,
      words: { syntax: '<file...>', description: 'profile files' },
      options: [
        valueOption('--fixture <file>', 'raw registers and what they must decode to (one profile only)'),
      ],
      examples: [
        {
          command: 'gtx profile check my-meters/acme-one.json',
          shows: 'Faults with their place, and advice.',
        },
        {
          command: 'gtx profile check acme-one.json --fixture acme-one.fixture.json',
          shows: 'Also whether the registers decode to what the document says.',
        },
      ],
      async action({ fixture }, { out, words }) {
        if (fixture !== undefined && words.length !== 1) {
          throw new GtxError('CONFIG_INVALID', '--fixture belongs to one profile: give one file');
        }
        const checks = words.map((file) => checkProfileFile(file, fixture));
        const text = checks.map(({ file, profile, issues, advice }) =>
          [
            ...issues.map(issueText),
            issues.length > 0
              ? `${file}: ${issues.length} ${issues.length === 1 ? 'fault' : 'faults'}; it cannot be used`
              : `${file}: all right: ${profile?.manufacturer} ${profile?.model}, ${Object.keys(profile?.registers ?? {}).length} quantities`,
            ...advice.map((one) => `  advice: ${one}`),
          ].join('\n'),
        );
        out.result(
          {
            files: checks.map(({ file, profile, issues, advice }) => ({
              file,
              id: profile?.id ?? null,
              usable: issues.length === 0,
              issues: issues.map((issue) => ({ ...issue })),
              advice,
            })),
          },
          text.join('\n'),
        );
        return checks.some(({ issues }) => issues.length > 0) ? EXIT.usage : EXIT.ok;
      },
    },
    environment,
  );
}

function libraryOf(places: readonly string[] | undefined, { env }: Context): ProfileLibrary {
  const given = places ?? env.GTX_PROFILE_DIR?.split(delimiter).filter((place) => place !== '') ?? [];
  return wrapped(() => new ProfileLibrary(given));
}

/** Profile errors as those of the catalogue. */
function wrapped<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof ProfileError) throw new GtxError(error.code, error.message);
    throw error;
  }
}

function issueText({ file, line, column, path, message }: ProfileIssue): string {
  const place = line === undefined ? file : `${file}:${line}:${column}`;
  return `${place}: ${path === '' ? '' : `${path}: `}${message}`;
}

function listed(profile: MeterProfile, library: ProfileLibrary): Json {
  return {
    id: profile.id,
    kind: profile.kind,
    manufacturer: profile.manufacturer,
    model: profile.model,
    phases: profile.phases,
    roles: Object.keys(profile.roles),
    transports: profile.transports,
    verified: profile.verified,
    identification: profile.identification.certainty,
    own: library.origin(profile.id)?.own === true,
    file: library.origin(profile.id)?.file,
  };
}

function description(profile: MeterProfile, file: string): string {
  const { modbus, identification } = profile;
  const { serial } = modbus;
  const lines = [
    `${profile.manufacturer} ${profile.model} (${profile.kind}, ${profile.phases === 1 ? 'one phase' : 'three phases'})`,
    table(
      [
        ['profile', `${profile.id}, ${file}`],
        ['verified', profile.verified],
        ['transports', profile.transports.join(', ')],
        ...(profile.transports.includes('rtu')
          ? ([
              [
                'serial line',
                `${serial.baud_rate} baud, ${serial.data_bits} data bits, parity ${serial.parity}, ${serial.stop_bits} stop bits, address ${modbus.unit}`,
              ],
            ] as [string, string][])
          : []),
        [
          'requests',
          `${modbus.max_registers_per_request} registers at most, ${modbus.min_gap_ms} ms between`,
        ],
        ['recognised', identification.certainty],
      ],
      '  ',
    ),
    'Roles:',
    ...Object.entries(profile.roles).map(([role, one]) => `  ${role}: ${one?.wiring}`),
    'Registers:',
    table(
      Object.entries(profile.registers).map(([quantity, register]) => [
        quantity,
        `${register.address} ${register.type}${register.scale === '1' ? '' : ` x ${register.scale}`} ${register.unit === '1' ? '' : register.unit}${
          register.unit in ENERGY_UNITS && register.resettable ? ' (can be set to zero)' : ''
        }  ${register.name}`,
      ]),
      '  ',
    ),
    ...(profile.assumes === undefined
      ? []
      : [
          'Must be set at the device:',
          ...profile.assumes.map((one) => `  ${one.name}: ${one.equals.join(' or ')}`),
        ]),
    'Sources:',
    ...profile.sources.map(({ title, revision, for: what }) => `  ${title}, ${revision}: ${what}`),
    ...(profile.notes.length === 0 ? [] : ['Notes:', ...profile.notes.map((note) => `  ${note}`)]),
  ];
  return lines.join('\n');
}
