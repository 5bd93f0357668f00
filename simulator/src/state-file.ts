import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { GtxError, parseJsonWith } from '@gridtokenx/protocol';
import { z } from 'zod';
import type { EnergyState } from './meter.js';

const amount = z.string().regex(/^(?:0|[1-9][0-9]*)$/);
const fileSchema = z.strictObject({
  version: z.literal(1),
  units: z.record(
    z.string(),
    z.strictObject({
      import_microjoules: amount,
      export_microjoules: amount,
      reactive_import: amount,
      reactive_export: amount,
      serial_number: z.int().min(0).optional(),
    }),
  ),
  /** Charge of batteries by site and name, in microjoules. */
  batteries: z.record(z.string(), z.record(z.string(), z.int().min(0))).default({}),
});

/** What a former run left. */
export interface SavedState {
  units: ReadonlyMap<number, { energy: EnergyState; serialNumber: number | undefined }>;
  batteries: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/**
 * Energy registers on disk. Written before an answer leaves with them, so a killed simulator never comes back
 * with a register below one that somebody has read. Written beside and renamed, so the file is always whole.
 */
export class StateFile {
  readonly path: string;
  #last = '';

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Registers and batteries of a former run; undefined when there was none.
   * @throws GtxError CONFIG_INVALID when the file is damaged (a meter must not silently begin again at zero)
   */
  load(): SavedState | undefined {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new GtxError('CONFIG_INVALID', `cannot read the simulator's state ${this.path}`, undefined, {
        cause: error,
      });
    }
    let content: z.infer<typeof fileSchema>;
    try {
      content = parseJsonWith(fileSchema, text, 'CONFIG_INVALID');
    } catch (error) {
      throw new GtxError(
        'CONFIG_INVALID',
        `the simulator's state ${this.path} is damaged; delete it to begin with registers at zero`,
        undefined,
        { cause: error },
      );
    }
    const units = new Map(
      Object.entries(content.units).map(([unit, state]) => [
        Number(unit),
        {
          energy: {
            importMicrojoules: BigInt(state.import_microjoules),
            exportMicrojoules: BigInt(state.export_microjoules),
            reactiveImport: BigInt(state.reactive_import),
            reactiveExport: BigInt(state.reactive_export),
          },
          serialNumber: state.serial_number,
        },
      ]),
    );
    return { units, batteries: content.batteries };
  }

  /** Writes the registers when they changed. */
  save(
    units: Iterable<{ unit: number; energy: EnergyState; serialNumber: number }>,
    batteries: Record<string, Record<string, number>>,
  ): void {
    const content: z.infer<typeof fileSchema> = { version: 1, units: {}, batteries };
    for (const { unit, energy, serialNumber } of units) {
      content.units[String(unit)] = {
        import_microjoules: energy.importMicrojoules.toString(),
        export_microjoules: energy.exportMicrojoules.toString(),
        reactive_import: energy.reactiveImport.toString(),
        reactive_export: energy.reactiveExport.toString(),
        serial_number: serialNumber,
      };
    }
    const text = `${JSON.stringify(content, null, 2)}\n`;
    if (text === this.#last) return;
    if (this.#last === '') mkdirSync(dirname(this.path), { recursive: true });
    const beside = `${this.path}.new`;
    writeFileSync(beside, text);
    renameSync(beside, this.path);
    this.#last = text;
  }
}
