import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** One of several processes that run the same script. */
export interface Runner {
  /** Its next line on stdout, or undefined when it has ended. */
  nextLine(): Promise<string | undefined>;
  /** Writes to its stdin. */
  tell(text: string): void;
}

/** Runs a module `count` times at once, each in a process of its own, for as long as `use` lasts. */
export async function runTogether(
  count: number,
  script: string,
  use: (runners: readonly Runner[]) => Promise<void>,
): Promise<void> {
  const children: ChildProcess[] = [];
  try {
    await use(
      Array.from({ length: count }, () => {
        const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
          stdio: ['pipe', 'pipe', 'inherit'],
        });
        children.push(child);
        const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
        return {
          nextLine: async () => (await lines.next()).value as string | undefined,
          tell: (text) => void child.stdin.write(text),
        };
      }),
    );
  } finally {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
}
