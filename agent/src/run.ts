/** What running a gateway takes, without the tools around it: memory is scarce there. */
export { startAgent } from './agent.js';
export { loadAgentConfig } from './config.js';
