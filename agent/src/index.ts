/** The gateway: reads meters, accounts their energy, signs readings and brings them to the collector. */
export { type AgentDeps, type AgentStatus, type RunningAgent, startAgent } from './agent.js';
export { AgentConfig, type AgentConfigInput, loadAgentConfig, parseAgentConfig } from './config.js';
export { readKeyFile } from './keyfile.js';
export { LEAN_NODE_ENV, LEAN_NODE_OPTIONS } from './lean-options.js';
export { describeAgentMetrics } from './metrics.js';
export { Outbox, type OutboxReading, type ReadingState } from './outbox.js';
export { MeterSigner } from './sign.js';
export { AGENT_VERSION } from './version.js';

/** The installer's tools. Loaded when called: a gateway that runs has no use for them. */
export const installerTools = () => import('./tools.js');
export type { TlsTexts } from './collector-http.js';
export type { LineSettings } from './modbus-line.js';
export type { FoundDevice, ScanProgress } from './scan.js';
