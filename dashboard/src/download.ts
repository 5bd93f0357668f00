import { authorization } from './api.js';
import { t } from './text/index.js';

/**
 * Saves what the collector answers as a file: a plain link could not carry the login.
 * @throws Error in words
 */
export async function download(path: string, name: string): Promise<void> {
  const login = await authorization();
  const response = await fetch(path, {
    headers: login === undefined ? {} : { authorization: login },
  }).catch(() => undefined);
  if (!response) throw new Error(t('error.unreachable'));
  if (!response.ok) {
    const body = (await response.json().catch(() => undefined)) as
      | { error?: { message?: string } }
      | undefined;
    throw new Error(body?.error?.message ?? `HTTP ${response.status}`);
  }
  const url = URL.createObjectURL(await response.blob());
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
