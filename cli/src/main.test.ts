import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const gtx = fileURLToPath(new URL('../bin/gtx.mjs', import.meta.url));

it('ends quietly when the reader of its output has seen enough', () => {
  // `true` reads nothing and is gone long before Node has started.
  const { status, stderr } = spawnSync(
    'bash',
    ['-c', `set -o pipefail; "${process.execPath}" "${gtx}" --help | true; echo "\${PIPESTATUS[0]}"`],
    { encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  expect(status).toBe(0);
});
