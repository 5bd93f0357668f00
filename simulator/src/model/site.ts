/** A site: its parts' powers at a moment of the model's time. */
import type { Part, SiteConfig } from '../site-schema.js';
import { partName } from '../site-schema.js';
import { Battery } from './battery.js';
import type { PartFlow } from './flow.js';
import { electricCarWatts, heatPumpWatts, residentialWatts, solarWatts, windWatts } from './parts.js';
import { ZoneClock } from './place.js';
import type { Series } from './replay.js';
import { sunPosition } from './sun.js';
import { clearness, temperature, windSpeed } from './weather.js';

export interface Place {
  latitude: number;
  longitude: number;
  timezone: string;
}

/** Where powers come from: a model of a site, or the simple day. */
export interface FlowSource {
  /**
   * Powers for the step that begins now.
   * @param modelMs time of the model
   * @param stepMs how long they will be held, in time over which energy is counted
   */
  flows(modelMs: number, stepMs: number): PartFlow[];
  /** These powers have flowed for a time; only batteries remember it. */
  flowed(flows: readonly PartFlow[], durationMs: number): void;
}

/**
 * Computes a site's parts. Everything but the batteries' charge depends on seed and time only, so days can be looked
 * up in any order; with batteries they are gone through in order.
 */
export class SiteModel implements FlowSource {
  readonly batteries = new Map<string, Battery>();
  readonly #zone: ZoneClock;

  /**
   * @param series measured data of the parts of type replay, by name
   * @param startMs the model's time at the start
   */
  constructor(
    private readonly config: SiteConfig,
    private readonly place: Place,
    private readonly seed: string,
    private readonly series: ReadonlyMap<string, Series>,
    private readonly startMs: number,
  ) {
    this.#zone = new ZoneClock(place.timezone);
    for (const part of config.parts) {
      if (part.type === 'battery') this.batteries.set(partName(part), new Battery(part));
    }
  }

  flows(modelMs: number, stepMs: number): PartFlow[] {
    const local = this.#zone.local(modelMs);
    const sun = sunPosition(modelMs, this.place.latitude, this.place.longitude);
    let surplus = 0;
    const flows = this.config.parts.map((part): PartFlow => {
      const name = partName(part);
      if (part.type === 'battery') {
        return { name, kind: 'storage', producedMilliwatts: 0, consumedMilliwatts: 0 };
      }
      const flow = this.#part(part, name, modelMs, local, sun);
      surplus += flow.producedMilliwatts - flow.consumedMilliwatts;
      return flow;
    });
    for (const flow of flows) {
      if (flow.kind !== 'storage') continue;
      const power = (this.batteries.get(flow.name) as Battery).power(surplus, stepMs);
      if (power > 0) flow.consumedMilliwatts = power;
      else if (power < 0) flow.producedMilliwatts = -power;
      surplus -= power;
    }
    return flows;
  }

  flowed(flows: readonly PartFlow[], durationMs: number): void {
    for (const flow of flows) {
      if (flow.kind !== 'storage') continue;
      const power = flow.consumedMilliwatts - flow.producedMilliwatts;
      this.batteries.get(flow.name)?.flow(power, durationMs);
    }
  }

  #part(
    part: Exclude<Part, { type: 'battery' }>,
    name: string,
    modelMs: number,
    local: ReturnType<ZoneClock['local']>,
    sun: ReturnType<typeof sunPosition>,
  ): PartFlow {
    const seed = `${this.seed}/${name}`;
    const { weather } = this.config;
    switch (part.type) {
      case 'solar': {
        const clear = clearness(this.seed, modelMs, weather.cloud_cover);
        return produced(name, solarWatts(part, sun, clear, modelMs));
      }
      case 'wind': {
        const speed = windSpeed(this.seed, modelMs, weather.wind_speed, part.turbulence);
        return produced(name, windWatts(part, speed));
      }
      case 'residential':
        return consumed(name, residentialWatts(part, local, seed, modelMs));
      case 'heat_pump': {
        const outside = temperature(this.seed, modelMs, local.hours, weather);
        return consumed(name, heatPumpWatts(part, outside, seed, modelMs));
      }
      case 'electric_car':
        return consumed(name, electricCarWatts(part, local, seed));
      case 'constant':
        return part.kind === 'production' ? produced(name, part.watts) : consumed(name, part.watts);
      case 'replay': {
        const watts = (this.series.get(name)?.milliwatts(modelMs, modelMs - this.startMs) ?? 0) / 1000;
        const given = part.kind === 'production' || watts < 0;
        return given ? produced(name, Math.abs(watts)) : consumed(name, watts);
      }
    }
  }
}

function produced(name: string, watts: number): PartFlow {
  return {
    name,
    kind: 'production',
    producedMilliwatts: Math.round(watts * 1000),
    consumedMilliwatts: 0,
  };
}

function consumed(name: string, watts: number): PartFlow {
  return {
    name,
    kind: 'consumption',
    producedMilliwatts: 0,
    consumedMilliwatts: Math.round(watts * 1000),
  };
}
