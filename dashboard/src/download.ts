import { ApiError, authorization, refusal } from './api.js';
import { t } from './text/index.js';

/**
 * Saves what the collector answers as a file: a plain link could not carry the login.
 * @throws ApiError
 */
export async function download(path: string, name: string): Promise<void> {
  const login = await authorization();
  const response = await fetch(path, {
    headers: login === undefined ? {} : { authorization: login },
  }).catch(() => undefined);
  if (!response) throw new ApiError('UNREACHABLE', t('error.unreachable'), 0);
  if (!response.ok) throw refusal(response.status, await response.json().catch(() => undefined));
  const url = URL.createObjectURL(await response.blob());
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
