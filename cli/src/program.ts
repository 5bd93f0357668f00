import { readFileSync } from 'node:fs';
import { Command } from 'commander';
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
import { EXIT_MEANINGS } from './exit-codes.js';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** The whole tree of commands. Nothing runs before `parseAsync` is called on it. */
export function buildProgram(environment: ProgramEnvironment = processEnvironment): Command {
  const program = new Command('gtx')
    .description(
      'gridtokenx: a metered kilowatt-hour becomes a GRID token on Solana, only where a program has checked the meter’s signature.',
    )
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => environment.streams.out(text),
      writeErr: (text) => environment.streams.err(text),
    })
    .showHelpAfterError('(add --help for the list of commands)')
    .addHelpText(
      'after',
      `\nExamples:\n  $ gtx up\n      Everything on this machine, with one live view.\n  $ gtx status --json\n      What runs, where, how it is.\n\nExit codes:\n${EXIT_MEANINGS.map(({ code, meaning }) => `  ${String(code).padStart(3)}  ${meaning}`).join('\n')}\n`,
    );
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
