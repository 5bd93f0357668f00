/**
 * A disk that loses what was not synced: the content of each file at its last fsync is kept beside (power-cut.c,
 * preloaded into the gateway), and `cut` puts it back.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('./power-cut.c', import.meta.url));
/** What a disk writes as a whole. */
const SECTOR = 512;

/** True where the library that watches fsync can be compiled. */
export function compilerInstalled(): boolean {
  return process.platform === 'linux' && spawnSync('gcc', ['--version'], { stdio: 'ignore' }).status === 0;
}

export class PowerCut {
  private readonly copies: string;
  private readonly library: string;

  /**
   * @param scratch folder for the library and the copies
   * @param root the gateway's data folder; its files, not its subfolders, are kept
   */
  constructor(
    scratch: string,
    private readonly root: string,
  ) {
    this.copies = join(scratch, 'synced');
    this.library = join(scratch, 'power-cut.so');
  }

  /** Compiles the library. @throws Error when the compiler fails */
  prepare(): void {
    mkdirSync(this.copies, { recursive: true });
    execFileSync(
      'gcc',
      ['-shared', '-fPIC', '-O2', '-Wall', '-o', this.library, SOURCE, '-ldl', '-lpthread'],
      {
        stdio: 'inherit',
      },
    );
  }

  /** Environment of a process that works on this disk. */
  get env(): Record<string, string> {
    return {
      LD_PRELOAD: this.library,
      GTX_SYNCED_ROOT: `${this.root}/`,
      GTX_SYNCED_COPIES: this.copies,
    };
  }

  /** Files that have been synced. */
  synced(): string[] {
    return readdirSync(this.copies).filter((name) => !name.endsWith('.new'));
  }

  /**
   * The power is gone; call it when the process is. Of what was written since the last sync nothing is there, or, with
   * `torn`, any part of it, sector by sector: a disk writes in its own order.
   * @param torn a random number from 0 to 1 for each decision
   */
  cut(torn?: () => number): void {
    const written = readdirSync(this.root);
    const names = new Set([...written, ...this.synced()]);
    for (const name of names) {
      const file = join(this.root, name);
      const copy = join(this.copies, name);
      // Made anew by the first process that opens the database.
      if (name.endsWith('-shm') || !existsSync(copy)) {
        if (torn === undefined || name.endsWith('-shm') || torn() < 0.5) rmSync(file, { force: true });
        continue;
      }
      if (torn && existsSync(file)) {
        const mixed = mix(readFileSync(copy), readFileSync(file), torn);
        writeFileSync(file, mixed);
        writeFileSync(copy, mixed);
      } else copyFileSync(copy, file);
    }
  }
}

/** Some sectors of one, some of the other. */
function mix(before: Buffer, after: Buffer, random: () => number): Buffer {
  const length = random() < 0.5 ? before.length : after.length;
  const result = Buffer.alloc(length);
  for (let at = 0; at < length; at += SECTOR) {
    const [one, other] = random() < 0.5 ? [before, after] : [after, before];
    (at < one.length ? one : other).copy(result, at, at, Math.min(at + SECTOR, length));
  }
  return result;
}
