/** Virtual meters on a serial line or on TCP, with the homes behind them and their faults; fleets for load tests. */
export { type Scenario, SimulatorConfig, type SimulatorConfigInput } from './config.js';
export { type FaultRule, type FaultRuleInput, FaultRules, faultRuleSchema } from './fault-plan.js';
export { Fault, type FaultInput, LineFault, type LineFaultInput } from './faults.js';
export {
  Fleet,
  FleetConfig,
  type FleetConfigInput,
  type FleetIdentity,
  type FleetResult,
} from './fleet/fleet.js';
export { FleetMeter, type FleetTimes } from './fleet/fleet-meter.js';
export {
  type Frame,
  FrameReader,
  type PreparedPublish,
  preparePublish,
  publishOf,
  WireClient,
  type WireOptions,
} from './fleet/mqtt-wire.js';
export { type PowerOverride, VirtualMeter } from './meter.js';
export { describeSimulatorMetrics } from './metrics.js';
export { ModbusException } from './modbus.js';
export type { Flow } from './model/flow.js';
export { type Day, type DayPoint, dayEnergy, plotDay, simulateDay, THEMES, type Theme } from './plot.js';
export { socatInstalled } from './pty-line.js';
export { type LoadedScenario, loadScenario, parseScenario, scenarioJsonSchema } from './scenario-file.js';
export {
  type Simulator,
  type SimulatorConnection,
  type SimulatorOptions,
  type SiteState,
  startSimulator,
  type UnitState,
} from './simulator.js';
