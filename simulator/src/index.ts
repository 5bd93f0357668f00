/** Virtual meters on a serial line or on Modbus TCP, with a solar-and-household day and faults. */
export { Fault } from './bus.js';
export { type Scenario, SimulatorConfig, type SimulatorConfigInput } from './config.js';
export { type SitePower, sitePower } from './day-model.js';
export { type PowerOverride, VirtualMeter } from './meter.js';
export { ModbusException } from './modbus.js';
export { socatInstalled } from './pty-line.js';
export { type Simulator, type SimulatorConnection, startSimulator, type UnitState } from './simulator.js';
