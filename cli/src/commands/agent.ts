import type { Command } from 'commander';
import type { ProgramEnvironment } from '../command.js';
import { addAgentBackup } from './agent-backup.js';
import { addAgentDoctor } from './agent-doctor.js';
import { addAgentInit } from './agent-init.js';
import { addAgentRestore } from './agent-restore.js';
import { addAgentRun, agentGroup } from './agent-run.js';
import { addAgentScan } from './agent-scan.js';
import { addAgentStatus } from './agent-status.js';

export function addAgent(program: Command, environment: ProgramEnvironment): void {
  const group = agentGroup(program);
  addAgentRun(group, environment);
  addAgentInit(group, environment);
  addAgentScan(group, environment);
  addAgentDoctor(group, environment);
  addAgentStatus(group, environment);
  addAgentBackup(group, environment);
  addAgentRestore(group, environment);
}
