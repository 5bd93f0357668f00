/** The `gtx` command: its tree of commands, and the supervisor behind `gtx up`. */

export { runCommandLine } from './command-line.js';
export * from './data-dir.js';
export * from './exit-codes.js';
export * from './key-files.js';
export * from './keys.js';
export * from './output.js';
export * from './postgres/server.js';
export * from './process/identity.js';
export * from './process/lock.js';
export * from './process/ports.js';
export * from './process/service.js';
export * from './process/supervisor.js';
export { supervisorMetrics } from './process/supervisor-page.js';
export { buildProgram } from './program.js';
export * from './run-file.js';
