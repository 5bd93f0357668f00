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
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    passWithNoTests: false,
  },
});
