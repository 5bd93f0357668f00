import { loadProfile, type MeterProfile, ProfileError } from '@gridtokenx/firmware-profiles';
import { GtxError, nkwhToKwh, parseWith } from '@gridtokenx/protocol';
import type { Logger } from 'pino';
import { Bus, type Fault } from './bus.js';
import { SimulatorConfig, type SimulatorConfigInput } from './config.js';
import { ControlServer } from './control-server.js';
import { dayHours, sitePower } from './day-model.js';
import { type PowerOverride, VirtualMeter } from './meter.js';
import { PtyLine, socatInstalled } from './pty-line.js';
import { StateFile } from './state-file.js';
import { ModbusTcpServer } from './tcp-server.js';

/** How a gateway reaches the simulated meters; the shape of a gateway's own `connection` setting. */
export type SimulatorConnection =
  | { type: 'tcp'; host: string; port: number }
  | { type: 'rtu'; path: string; baud_rate: number; parity: 'none' | 'even' | 'odd' };

/** One unit as it is now. */
export interface UnitState {
  unit: number;
  profile: string;
  role: 'grid' | 'production' | 'consumption';
  power_watts: number;
  import_kwh: string;
  export_kwh: string;
  requests: number;
  fault: Fault | null;
}

/** A running simulator, with its controls for tests. */
export interface Simulator {
  readonly connection: SimulatorConnection;
  /** URL of the HTTP control, where configured. */
  readonly controlUrl: string | undefined;
  /** All units as they are now. */
  state(): UnitState[];
  /** From now on these powers instead of the model's; `{}` goes back to the model. */
  setPower(unit: number, power: PowerOverride): void;
  /** Sets registers as if the meter had been replaced. Whole nkWh. */
  setEnergy(unit: number, registers: { importNkwh?: bigint; exportNkwh?: bigint }): void;
  /** Sets or (with undefined) clears a fault. */
  setFault(unit: number, fault: Fault | undefined): void;
  stop(): Promise<void>;
}

/**
 * Starts virtual meters on a serial line or on Modbus TCP.
 * @param input configuration; every setting has a default
 * @param options `now` in milliseconds, Date.now when left out
 * @throws GtxError CONFIG_INVALID, PROFILE_INVALID, PORT_IN_USE, DEPENDENCY_MISSING, START_FAILED
 */
export async function startSimulator(
  input: SimulatorConfigInput,
  options: { logger: Logger; now?: () => number },
): Promise<Simulator> {
  const config = parseWith(SimulatorConfig, input, 'CONFIG_INVALID');
  const now = options.now ?? Date.now;
  const logger = options.logger.child({ component: 'simulator' });
  const stateFile = config.state_file === undefined ? undefined : new StateFile(config.state_file);
  const meters = makeMeters(config, now(), stateFile);
  const save = () => stateFile?.save(meters);
  const bus = new Bus(meters, now, logger, save);
  save();

  const line = await openTransport(config, bus, meters[0]?.profile as MeterProfile, logger);
  const controls = {
    state: () =>
      bus.meters().map((meter): UnitState => {
        meter.advance(now());
        return {
          unit: meter.unit,
          profile: meter.profile.id,
          role: meter.config.role,
          power_watts: meter.powerWatts(),
          import_kwh: nkwhToKwh(meter.importNkwh),
          export_kwh: nkwhToKwh(meter.exportNkwh),
          requests: bus.requests(meter.unit),
          fault: bus.fault(meter.unit) ?? null,
        };
      }),
    setPower: (unit: number, power: PowerOverride) => bus.meter(unit).setPower(power, now()),
    setEnergy: (unit: number, registers: { importNkwh?: bigint; exportNkwh?: bigint }) =>
      bus.meter(unit).setEnergy(registers, now()),
    setFault: (unit: number, fault: Fault | undefined) => bus.setFault(unit, fault),
  };
  let control: ControlServer | undefined;
  let controlUrl: string | undefined;
  if (config.control !== undefined) {
    control = new ControlServer(controls, (unit) => bus.has(unit), logger);
    try {
      controlUrl = await control.start(config.control.host, config.control.port);
    } catch (error) {
      await line.stop();
      throw error;
    }
  }
  logger.info({ connection: line.connection, control: controlUrl, units: meters.length }, 'meters answer');
  return {
    connection: line.connection,
    controlUrl,
    ...controls,
    async stop() {
      await control?.stop();
      await line.stop();
      for (const meter of meters) meter.advance(now());
      save();
    },
  };
}

function makeMeters(
  config: SimulatorConfig,
  startedMs: number,
  stateFile: StateFile | undefined,
): VirtualMeter[] {
  const [hours, minutes] = config.start_time.split(':').map(Number) as [number, number];
  const saved = stateFile?.load();
  return config.units.map((unit) => {
    const seed = `${config.seed}/${unit.site ?? `unit-${unit.unit}`}`;
    const powerAt = (timeMs: number) =>
      sitePower(seed, unit.scenario, dayHours(timeMs, startedMs, config.day_seconds, hours + minutes / 60));
    return new VirtualMeter(unit, profileOf(unit.profile), powerAt, startedMs, saved?.get(unit.unit));
  });
}

function profileOf(id: string): MeterProfile {
  try {
    return loadProfile(id);
  } catch (cause) {
    if (cause instanceof ProfileError) throw new GtxError(cause.code, cause.message, undefined, { cause });
    throw cause;
  }
}

async function openTransport(
  config: SimulatorConfig,
  bus: Bus,
  profile: MeterProfile,
  logger: Logger,
): Promise<{ connection: SimulatorConnection; stop(): Promise<void> }> {
  const { transport } = config;
  if (transport.type === 'pty' || (transport.type === 'auto' && socatInstalled())) {
    const line = new PtyLine(bus, logger, transport.link);
    await line.start();
    const { baud_rate, parity } = profile.modbus.serial;
    return { connection: { type: 'rtu', path: line.link, baud_rate, parity }, stop: () => line.stop() };
  }
  const server = new ModbusTcpServer(bus, logger);
  const port = await server.start(transport.host, transport.port);
  return { connection: { type: 'tcp', host: transport.host, port }, stop: () => server.stop() };
}
