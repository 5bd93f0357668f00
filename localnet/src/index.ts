export { type Localnet, type LocalnetOptions, type LocalnetProgram, startLocalnet } from './localnet.js';
export { localnetRegistry } from './metrics.js';
