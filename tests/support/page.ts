import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The commands of a page of the documentation that stand below `<!-- run: NAME -->`. */
export function commandsOf(page: string, name: string): string {
  const text = readFileSync(fileURLToPath(new URL(`../../docs/${page}`, import.meta.url)), 'utf8');
  const start = text.indexOf(`<!-- run: ${name} -->\n\`\`\`sh\n`);
  if (start < 0) throw new Error(`docs/${page} has no commands ${name}`);
  const begin = text.indexOf('```sh\n', start) + 6;
  return text.slice(begin, text.indexOf('\n```', begin));
}

/** Runs them as a person would, who stops at the first that fails. @returns standard output */
export function runCommands(
  page: string,
  name: string,
  { cwd, env }: { cwd: string; env: Record<string, string> },
): Promise<string> {
  const commands = commandsOf(page, name);
  return new Promise((resolve, reject) => {
    execFile(
      'bash',
      ['-euo', 'pipefail', '-c', commands],
      { cwd, env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`docs/${page}, ${name}:\n${commands}\n${stdout}${stderr}`, { cause: error }));
      },
    );
  });
}
