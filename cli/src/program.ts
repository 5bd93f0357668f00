import type { Command } from 'commander';
import { type ProgramEnvironment, processEnvironment } from './command.js';
import { addAgent } from './commands/agent.js';
import { addAudit } from './commands/audit.js';
import { addBrokerCommands } from './commands/broker.js';
import { addCertificateCommands } from './commands/certificates.js';
import { addChainCommands } from './commands/chain.js';
import { addCollector } from './commands/collector.js';
import { addGovernanceCommands } from './commands/governance.js';
import { addKeygen } from './commands/keygen.js';
import { addLocalnet } from './commands/localnet.js';
import { addMarketCommands } from './commands/market.js';
import { addOracleCommands } from './commands/oracle.js';
import { addPostgres } from './commands/postgres.js';
import { addProfileCommands } from './commands/profile.js';
import { addReplay } from './commands/replay.js';
import { addReviewCommands } from './commands/review.js';
import { addSim } from './commands/sim.js';
import { addStatus } from './commands/status.js';
import { addUp } from './commands/up.js';
import { addWatch } from './commands/watch.js';
import { rootProgram } from './root-program.js';

/** The whole tree of commands. Nothing runs before `parseAsync` is called on it. */
export function buildProgram(environment: ProgramEnvironment = processEnvironment): Command {
  const program = rootProgram(environment);
  for (const add of [
    addUp,
    addStatus,
    addWatch,
    addAudit,
    addKeygen,
    addReplay,
    addChainCommands,
    addMarketCommands,
    addOracleCommands,
    addGovernanceCommands,
    addCertificateCommands,
    addReviewCommands,
    addPostgres,
    addLocalnet,
    addSim,
    addCollector,
    addBrokerCommands,
    addAgent,
    addProfileCommands,
  ]) {
    add(program, environment);
  }
  return program;
}
