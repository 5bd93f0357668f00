/**
 * `gtx agent run` by itself: the same command as in the whole program, without loading the others. It is what
 * scripts/pack-gateway.mjs packs into one file.
 */
import { addAgentRun, agentGroup } from './commands/agent-run.js';
import { mainProcess } from './process/main-process.js';
import { rootProgram } from './root-program.js';
import { runProgram } from './run-program.js';

await mainProcess((args) =>
  runProgram((environment) => {
    const program = rootProgram(environment);
    addAgentRun(agentGroup(program), environment);
    return program;
  }, args),
);
