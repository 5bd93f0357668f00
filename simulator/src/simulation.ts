/** From a validated configuration to homes, meters and faults: everything of a simulation but its transport. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { loadProfile, type MeterProfile, ProfileError } from '@gridtokenx/firmware-profiles';
import { GtxError } from '@gridtokenx/protocol';
import type { SimulatorConfig, UnitConfig } from './config.js';
import { FaultPlan } from './fault-plan.js';
import { Home } from './home.js';
import { VirtualMeter } from './meter.js';
import { ModelClock, startHours } from './model/clock.js';
import type { PartFlow } from './model/flow.js';
import { parseReplay, type Series } from './model/replay.js';
import { dayHours, simpleDay } from './model/simple-day.js';
import { type FlowSource, SiteModel } from './model/site.js';
import { partName, type SiteConfig } from './site-schema.js';
import type { SavedState } from './state-file.js';

export interface Simulation {
  clock: ModelClock;
  homes: Home[];
  /** The described sites by name, for their batteries. */
  sites: ReadonlyMap<string, SiteModel>;
  plan: FaultPlan;
}

/**
 * @param startMs real time of the start
 * @param folder what relative paths in the configuration are relative to
 * @throws GtxError CONFIG_INVALID, PROFILE_INVALID
 */
export function makeSimulation(
  config: SimulatorConfig,
  startMs: number,
  folder: string,
  saved?: SavedState,
): Simulation {
  const clock = clockOf(config, startMs);
  const extra = config.profiles.map((path) => resolve(folder, path));
  const sites = new Map<string, SiteModel>();
  const metersOf = new Map<FlowSource, VirtualMeter[]>();
  for (const unit of config.units) {
    const described = unit.site === undefined ? undefined : config.sites[unit.site];
    let source: FlowSource;
    if (unit.site !== undefined && described !== undefined) {
      const site = sites.get(unit.site) ?? siteModel(config, unit.site, described, clock, folder);
      for (const [name, microjoules] of Object.entries(saved?.batteries[unit.site] ?? {})) {
        const battery = site.batteries.get(name);
        if (battery !== undefined) battery.storedMicrojoules = microjoules;
      }
      sites.set(unit.site, site);
      source = site;
    } else source = new SimpleHome(config, unit, clock, startMs);
    const profile = profileOf(unit.profile, extra);
    const meters = metersOf.get(source) ?? [];
    metersOf.set(source, meters);
    meters.push(new VirtualMeter(unit, profile, saved?.units.get(unit.unit)));
  }
  const homes = [...metersOf].map(([source, meters]) => new Home(meters, source, clock, startMs));
  return { clock, homes, sites, plan: new FaultPlan(config.faults, config.seed, startMs) };
}

export function clockOf(config: SimulatorConfig, startMs: number): ModelClock {
  return new ModelClock(
    {
      daySeconds: config.day_seconds,
      date: config.date,
      startTime: config.start_time,
      energyTime: config.energy_time,
      place: config.place,
    },
    startMs,
  );
}

/** The model of a described site. @throws GtxError CONFIG_INVALID for a file of measured data that is not right */
export function siteModel(
  config: SimulatorConfig,
  name: string,
  site: SiteConfig,
  clock: Pick<ModelClock, 'startModelMs'>,
  folder: string,
): SiteModel {
  const series = new Map<string, Series>();
  for (const part of site.parts) {
    if (part.type !== 'replay') continue;
    const file = resolve(folder, part.file);
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      throw new GtxError('CONFIG_INVALID', `cannot read ${file}: ${(error as Error).message}`);
    }
    series.set(partName(part), parseReplay(text, part, part.file));
  }
  return new SiteModel(site, config.place, `${config.seed}/${name}`, series, clock.startModelMs);
}

/** The simple day of a unit whose site is not described. */
class SimpleHome implements FlowSource {
  readonly #hours: (modelMs: number) => number;
  readonly #seed: string;
  readonly #unit: UnitConfig;

  constructor(config: SimulatorConfig, unit: UnitConfig, clock: ModelClock, startMs: number) {
    this.#unit = unit;
    this.#seed = `${config.seed}/${unit.site ?? `unit-${unit.unit}`}`;
    const begin = startHours(config.start_time);
    const free = config.day_seconds !== 86_400 || config.date !== undefined;
    // A day that follows the real one follows universal time.
    this.#hours = (modelMs) =>
      free
        ? begin + (modelMs - clock.startModelMs) / 3_600_000
        : dayHours(startMs + (modelMs - clock.startModelMs));
  }

  flows(modelMs: number): PartFlow[] {
    const flow = simpleDay(this.#seed, this.#unit.scenario, this.#hours(modelMs));
    return [
      { name: 'solar', kind: 'production', ...flow, consumedMilliwatts: 0 },
      { name: 'household', kind: 'consumption', ...flow, producedMilliwatts: 0 },
    ];
  }

  flowed(): void {}
}

function profileOf(id: string, extra: readonly string[]): MeterProfile {
  try {
    return loadProfile(id, extra);
  } catch (cause) {
    if (cause instanceof ProfileError) throw new GtxError(cause.code, cause.message, undefined, { cause });
    throw cause;
  }
}
