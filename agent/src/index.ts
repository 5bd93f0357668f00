/** The gateway: reads meters, accounts their energy, signs readings and brings them to the collector. */
export { type AgentDeps, type AgentStatus, type RunningAgent, startAgent } from './agent.js';
export { AgentConfig, type AgentConfigInput, loadAgentConfig, parseAgentConfig } from './config.js';
export { readKeyFile } from './keyfile.js';
export { LEAN_NODE_OPTIONS } from './lean-options.js';
export { Outbox, type OutboxReading, type ReadingState } from './outbox.js';
export { MeterSigner } from './sign.js';
export { AGENT_VERSION } from './version.js';
