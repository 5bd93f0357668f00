export { type Localnet, type LocalnetOptions, type LocalnetProgram, startLocalnet } from './localnet.js';
