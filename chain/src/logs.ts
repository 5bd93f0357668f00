/** One `Program data:` entry and the program that wrote it. */
export interface ProgramData {
  programId: string;
  /** The byte strings that the program handed to `sol_log_data`: Anchor's events are exactly one. */
  fields: Uint8Array[];
}

/** What a transaction's log lines say. */
export interface ReadLogs {
  data: ProgramData[];
  /** The program that failed first, so the innermost one, and what the runtime said of it. */
  failure?: { programId: string; message: string };
  /**
   * The lines are not all there, or do not fit together. Everything from that point on is left out of `data`:
   * the runtime drops lines one by one once its limit (10 kB) is passed, so that a later line's program is unknown.
   */
  truncated: boolean;
}

const INVOKE = /^Program ([1-9A-HJ-NP-Za-km-z]{32,44}) invoke \[(\d+)\]$/;
const SUCCESS = /^Program ([1-9A-HJ-NP-Za-km-z]{32,44}) success$/;
const FAILED = /^Program ([1-9A-HJ-NP-Za-km-z]{32,44}) failed: ([\s\S]*)$/;
const DATA = 'Program data: ';
const TRUNCATED = 'Log truncated';

/**
 * Follows the runtime's own lines (`invoke`, `success`, `failed`) to know which program is running, and with
 * that who wrote each `Program data:` line. A program cannot forge such lines: whatever it logs as text comes
 * behind `Program log: `, and a line break inside a text stays inside its one array entry.
 */
export function readLogs(logs: readonly string[]): ReadLogs {
  const stack: string[] = [];
  const data: ProgramData[] = [];
  let failure: ReadLogs['failure'];
  const result = (truncated: boolean): ReadLogs => ({ data, truncated, ...(failure ? { failure } : {}) });

  for (const line of logs) {
    if (line === TRUNCATED) return result(true);
    const invoke = INVOKE.exec(line);
    if (invoke) {
      const [, programId = '', depth] = invoke;
      if (Number(depth) !== stack.length + 1) return result(true);
      stack.push(programId);
      continue;
    }
    const success = SUCCESS.exec(line);
    if (success) {
      if (stack.pop() !== success[1]) return result(true);
      continue;
    }
    const failed = FAILED.exec(line);
    if (failed) {
      const [, programId = '', message = ''] = failed;
      // The verification of a precompile's signatures fails without an invoke line.
      failure ??= { programId, message };
      if (stack.at(-1) === programId) stack.pop();
      else if (stack.length > 0) return result(true);
      continue;
    }
    if (line.startsWith(DATA)) {
      const programId = stack.at(-1);
      if (programId === undefined) return result(true);
      const fields = line
        .slice(DATA.length)
        .split(' ')
        .map((field) => Uint8Array.from(Buffer.from(field, 'base64')));
      data.push({ programId, fields });
    }
  }
  return result(stack.length > 0);
}
