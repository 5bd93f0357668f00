/**
 * The whole of a process that runs one command line: ends with the code that `run` returns, once everything that was printed
 * has gone out.
 */
export async function mainProcess(run: (args: readonly string[]) => Promise<number>): Promise<never> {
  // Whoever read our output has seen enough (`gtx … | head`): not an error of ours. A service listens for itself, and
  // goes on.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    if (process.stdout.listenerCount('error') === 1) process.exit(0);
  });
  const code = await run(process.argv.slice(2));
  // What was printed goes out; then nothing that was forgotten open keeps the command from ending.
  await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
  await new Promise<void>((resolve) => process.stderr.write('', () => resolve()));
  process.exit(code);
}
