import { ask } from './api.js';

/** A file is made while it is sent; a year of a meter's readings takes a slow machine a while. */
const FILE_MS = 600_000;

/**
 * Saves what the collector answers as a file: a plain link could not carry the login.
 * @throws ApiError
 */
export async function download(path: string, name: string): Promise<void> {
  const url = URL.createObjectURL(await ask<Blob>(path, { file: true, answerMs: FILE_MS }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
