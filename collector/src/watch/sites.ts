import { readFile, stat } from 'node:fs/promises';
import { GtxError, isMeterId } from '@gridtokenx/protocol';
import { z } from 'zod';

/** What is known of the place behind a meter. */
export interface Site {
  readonly kind: 'solar' | 'wind' | 'hydro' | 'battery' | 'other';
  /** Degrees, north and east positive. */
  readonly latitude: number | undefined;
  readonly longitude: number | undefined;
  /** Power of the generators; without it the meter's rated power stands for it. */
  readonly installedWatts: number | undefined;
}

const SitesFile = z.strictObject({
  meters: z.record(
    z.string().refine(isMeterId, 'must be a meter id'),
    z
      .strictObject({
        /** `solar`: nothing but solar modules feeds this meter. */
        kind: z.enum(['solar', 'wind', 'hydro', 'battery', 'other']).default('solar'),
        latitude: z.number().min(-90).max(90).optional(),
        longitude: z.number().min(-180).max(180).optional(),
        installed_watts: z.number().int().min(1).max(4_294_967_295).optional(),
      })
      .refine(
        ({ latitude, longitude }) => (latitude === undefined) === (longitude === undefined),
        'latitude and longitude go together',
      ),
  ),
});

/** Reads the text of a sites file. @throws GtxError CONFIG_INVALID, naming what is wrong and where */
export function parseSites(text: string): Map<string, Site> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new GtxError('CONFIG_INVALID', 'the sites file is not valid JSON');
  }
  const result = SitesFile.safeParse(json);
  if (!result.success) {
    const problems = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new GtxError('CONFIG_INVALID', `the sites file: ${problems.slice(0, 5).join('; ')}`, { problems });
  }
  return new Map(
    Object.entries(result.data.meters).map(([meterId, { installed_watts: installedWatts, ...site }]) => [
      meterId,
      { kind: site.kind, latitude: site.latitude, longitude: site.longitude, installedWatts },
    ]),
  );
}

/** A sites file that is read again when it has changed. */
export class Sites {
  private known = new Map<string, Site>();
  private version = '';

  /** @param path undefined: nothing is known of any place */
  constructor(private readonly path: string | undefined) {}

  get(meterId: string): Site | undefined {
    return this.known.get(meterId);
  }

  /** The meters of which the place is known. */
  placed(): string[] {
    return [...this.known].filter(([, { latitude }]) => latitude !== undefined).map(([meterId]) => meterId);
  }

  /** @throws GtxError CONFIG_INVALID when it cannot be read; what was known stays */
  async refresh(): Promise<void> {
    if (this.path === undefined) return;
    let text: string;
    try {
      const { mtimeMs, size } = await stat(this.path);
      const version = `${mtimeMs}/${size}`;
      if (version === this.version) return;
      text = await readFile(this.path, 'utf8');
      this.version = version;
    } catch (error) {
      const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
      throw new GtxError('CONFIG_INVALID', `GTX_SITES_FILE: cannot read ${this.path} (${reason})`);
    }
    try {
      this.known = parseSites(text);
    } catch (error) {
      // It is told every time until it is right.
      this.version = '';
      throw error;
    }
  }
}
