import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('.', import.meta.url));
const packages = readdirSync(root).filter((name) => existsSync(`${root}${name}/src/index.ts`));

export default defineConfig({
  resolve: {
    alias: packages.map((name) => ({
      find: new RegExp(`^@gridtokenx/${name}$`),
      replacement: `${root}${name}/src/index.ts`,
    })),
  },
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', '**/target/**', '.gridtokenx/**'],
    globalSetup: ['tests/support/run-folder.ts'],
    // Nothing is fast or slow by these: they end what hangs, also on a machine that is ten times as busy.
    testTimeout: 240_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
    passWithNoTests: false,
  },
});
