import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A folder for what the files of one run of the tests make once and share, such as a new database cluster to copy. Its name is
 * in GTX_TEST_RUN; it goes with the run.
 */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'gtx-test-run-'));
  // Database servers have an account of their own.
  chmodSync(folder, 0o711);
  process.env.GTX_TEST_RUN = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
