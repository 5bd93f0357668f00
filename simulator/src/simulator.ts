import { GtxError, nkwhToKwh, parseWith } from '@gridtokenx/protocol';
import type { Logger } from 'pino';
import { Bus } from './bus.js';
import { SimulatorConfig, type SimulatorConfigInput } from './config.js';
import { ControlServer } from './control-server.js';
import { FaultPlan, type FaultRuleInput, FaultRules } from './fault-plan.js';
import { Fault, type FaultInput, LineFault, type LineFaultInput } from './faults.js';
import type { PowerOverride, Registers, VirtualMeter } from './meter.js';
import { MeterServer } from './meter-server.js';
import { seededRandom } from './model/noise.js';
import { PtyLine, socatInstalled } from './pty-line.js';
import { makeSimulation, type Simulation } from './simulation.js';
import { StateFile } from './state-file.js';

/** How a gateway reaches the simulated meters; the shape of a gateway's own `connection` setting. */
export type SimulatorConnection =
  | { type: 'tcp' | 'rtu_over_tcp'; host: string; port: number }
  | { type: 'rtu'; path: string; baud_rate: number; parity: 'none' | 'even' | 'odd' };

/** One unit as it is now. */
export interface UnitState {
  unit: number;
  profile: string;
  role: 'grid' | 'production' | 'consumption';
  serial_number: number;
  power_watts: number;
  /** What has been counted. */
  import_kwh: string;
  export_kwh: string;
  /** What the registers show of it, in their resolution; null where the meter has no such register. */
  shown_import_kwh: string | null;
  shown_export_kwh: string | null;
  requests: number;
  fault: Fault | null;
}

/** One described site as it is now. */
export interface SiteState {
  /** Power of each part in watts, positive while it gives. */
  parts: Record<string, number>;
  /** State of charge of each battery, 0 to 1. */
  batteries: Record<string, number>;
}

/** A running simulator, with its controls for tests. */
export interface Simulator {
  readonly connection: SimulatorConnection;
  /** URL of the HTTP control, where configured. */
  readonly controlUrl: string | undefined;
  /** All units as they are now. */
  state(): UnitState[];
  /** The described sites as they are now, by name. */
  sites(): Record<string, SiteState>;
  /** How often each fault has been injected, by `unit/kind` (`line/cut` for the line's own). */
  faults(): ReadonlyMap<string, number>;
  /** From now on these powers instead of the model's; `{}` goes back to the model. */
  setPower(unit: number, power: PowerOverride): void;
  /** Sets registers as if the meter had been replaced. Whole nkWh. */
  setEnergy(unit: number, registers: Partial<Registers>): void;
  /** Sets or (with undefined) clears a fault. One that happens once (brown-out, exchange) happens now. */
  setFault(unit: number, fault: FaultInput | undefined): void;
  /** A fault of the line itself happens now. */
  setLineFault(fault: LineFaultInput): void;
  /**
   * Other rules in place of the scenario's `faults`; their times count from now.
   * @throws GtxError CONFIG_INVALID
   */
  setFaults(rules: readonly FaultRuleInput[]): void;
  stop(): Promise<void>;
}

export interface SimulatorOptions {
  logger: Logger;
  /** Milliseconds; Date.now when left out. */
  now?: () => number;
  /** What relative paths in the configuration are relative to; the working directory when left out. */
  folder?: string;
}

/** A line with its meters, whatever carries it. */
interface Line {
  connection: SimulatorConnection;
  cut(offMs: number): void;
  stop(): Promise<void>;
}

/** A timer is never set further ahead (setTimeout takes at most 2^31 ms). */
const LONGEST_TIMER_MS = 3_600_000;

/**
 * Starts virtual meters on a serial line or on TCP.
 * @param input configuration; every setting has a default
 * @throws GtxError CONFIG_INVALID, PROFILE_INVALID, PORT_IN_USE, DEPENDENCY_MISSING, START_FAILED
 */
export async function startSimulator(
  input: SimulatorConfigInput,
  options: SimulatorOptions,
): Promise<Simulator> {
  const config = parseWith(SimulatorConfig, input, 'CONFIG_INVALID');
  const now = options.now ?? Date.now;
  const logger = options.logger.child({ component: 'simulator' });
  const stateFile = config.state_file === undefined ? undefined : new StateFile(config.state_file);
  const simulation = makeSimulation(
    config,
    Math.floor(now()),
    options.folder ?? process.cwd(),
    stateFile?.load(),
  );
  const save = () => stateFile?.save(bus.meters(), batteriesOf(simulation));
  const bus = new Bus(simulation.homes, simulation.plan, now, logger, save);
  save();

  const line = await openTransport(config, bus, logger);
  bus.onCut = (offMs) => line.cut(offMs);
  const cuts = new CutTimer(bus, now);
  cuts.arm();
  let replans = 0;
  const controls = {
    ...controlsOf(simulation, bus),
    setFaults: (rules: readonly FaultRuleInput[]) => {
      replans += 1;
      const seed = `${config.seed}/${replans}`;
      bus.setPlan(new FaultPlan(parseWith(FaultRules, rules, 'CONFIG_INVALID'), seed, Math.floor(now())));
      logger.info({ rules }, 'fault rules set');
      cuts.arm();
    },
  };
  let control: ControlServer | undefined;
  let controlUrl: string | undefined;
  if (config.control !== undefined) {
    control = new ControlServer(controls, (unit) => bus.has(unit), logger);
    try {
      controlUrl = await control.start(config.control.host, config.control.port);
    } catch (error) {
      cuts.stop();
      await line.stop();
      throw error;
    }
  }
  logger.info(
    { connection: line.connection, control: controlUrl, units: config.units.length, seed: config.seed },
    'meters answer',
  );
  return {
    connection: line.connection,
    controlUrl,
    ...controls,
    async stop() {
      cuts.stop();
      // What is due by now is counted below, when there is no line any more.
      bus.onCut = () => undefined;
      await control?.stop();
      await line.stop();
      bus.advance();
      save();
    },
  };
}

function controlsOf(simulation: Simulation, bus: Bus) {
  return {
    state: () => {
      bus.advance();
      return bus.meters().map((meter) => stateOf(meter, bus));
    },
    sites: () => {
      bus.advance();
      const states: Record<string, SiteState> = {};
      for (const [name, site] of simulation.sites) {
        const home = simulation.homes.find(({ source }) => source === site);
        states[name] = {
          parts: Object.fromEntries(
            (home?.flows ?? []).map((flow) => [
              flow.name,
              (flow.producedMilliwatts - flow.consumedMilliwatts) / 1000,
            ]),
          ),
          batteries: Object.fromEntries([...site.batteries].map(([part, { charged }]) => [part, charged])),
        };
      }
      return states;
    },
    faults: () => bus.injected,
    setPower: (unit: number, power: PowerOverride) => bus.setPower(unit, power),
    setEnergy: (unit: number, registers: Partial<Registers>) => bus.setEnergy(unit, registers),
    setFault: (unit: number, fault: FaultInput | undefined) =>
      bus.setFault(unit, fault && parseWith(Fault, fault, 'CONFIG_INVALID')),
    setLineFault: (fault: LineFaultInput) => bus.setLineFault(parseWith(LineFault, fault, 'CONFIG_INVALID')),
  };
}
export type Controls = ReturnType<typeof controlsOf> & Pick<Simulator, 'setFaults'>;

function stateOf(meter: VirtualMeter, bus: Bus): UnitState {
  const shown = (side: 'import' | 'export') => {
    const nkwh = meter.shown(side);
    return nkwh === undefined ? null : nkwhToKwh(nkwh);
  };
  return {
    unit: meter.unit,
    profile: meter.profile.id,
    role: meter.config.role,
    serial_number: meter.serialNumber,
    power_watts: meter.powerWatts(),
    import_kwh: nkwhToKwh(meter.importNkwh),
    export_kwh: nkwhToKwh(meter.exportNkwh),
    shown_import_kwh: shown('import'),
    shown_export_kwh: shown('export'),
    requests: bus.requests(meter.unit),
    fault: bus.fault(meter.unit) ?? null,
  };
}

function batteriesOf({ sites }: Simulation): Record<string, Record<string, number>> {
  return Object.fromEntries(
    [...sites]
      .filter(([, site]) => site.batteries.size > 0)
      .map(([name, { batteries }]) => [
        name,
        Object.fromEntries([...batteries].map(([part, { storedMicrojoules }]) => [part, storedMicrojoules])),
      ]),
  );
}

/** Scheduled cuts happen at their time, whether or not anybody asks then. */
class CutTimer {
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly bus: Bus,
    private readonly now: () => number,
  ) {}

  arm(): void {
    clearTimeout(this.#timer);
    const next = this.bus.nextCutMs();
    if (next === undefined) return;
    this.#timer = setTimeout(
      () => {
        this.bus.advance();
        this.arm();
      },
      Math.min(Math.max(next - this.now(), 1), LONGEST_TIMER_MS),
    );
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

async function openTransport(config: SimulatorConfig, bus: Bus, logger: Logger): Promise<Line> {
  const { transport } = config;
  const random = seededRandom(`${config.seed}/line`);
  if (transport.type === 'pty' || (transport.type === 'auto' && socatInstalled())) {
    const line = new PtyLine(bus, logger, transport.link, random);
    await line.start();
    const [meter] = bus.meters();
    if (meter === undefined) throw new GtxError('INTERNAL', 'a line without meters');
    const { baud_rate, parity } = meter.profile.modbus.serial;
    return {
      connection: { type: 'rtu', path: line.link, baud_rate, parity },
      cut: (offMs) => line.cut(offMs),
      stop: () => line.stop(),
    };
  }
  const type = transport.type === 'rtu_over_tcp' ? 'rtu_over_tcp' : 'tcp';
  const server = new MeterServer(bus, logger, type === 'tcp' ? 'mbap' : 'rtu', random);
  const port = await server.start(transport.host, transport.port);
  return {
    connection: { type, host: transport.host, port },
    cut: (offMs) => server.cut(offMs),
    stop: () => server.stop(),
  };
}
