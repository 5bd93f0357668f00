import type { SimulatorConfigInput } from '@gridtokenx/simulator';

export interface DemoHome {
  /** Path of the link to the simulated serial line (used where socat is installed). */
  readonly serialLink: string;
  /** TCP port of Modbus otherwise. */
  readonly port: number;
  readonly stateFile: string;
  readonly seed: string;
}

/** The bus address and model of the demo's meter. */
export const DEMO_UNIT = 1;
export const DEMO_PROFILE = 'eastron-sdm630';

/**
 * The demo's home, as the simulator's configuration file: 8 kW of solar at noon, where the sun stands still with
 * passing clouds, so that a demo has surplus at any time of day. Registers survive a restart, as a real meter's.
 */
export function simulatorConfigText(home: DemoHome): string {
  const config: SimulatorConfigInput = {
    transport: { type: 'auto', link: home.serialLink, host: '127.0.0.1', port: home.port },
    seed: home.seed,
    state_file: home.stateFile,
    units: [
      {
        unit: DEMO_UNIT,
        profile: DEMO_PROFILE,
        role: 'grid',
        scenario: { solar_watts: 8_000, household_watts: 500, shape: 'noon' },
      },
    ],
    control: { host: '127.0.0.1', port: 0 },
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
