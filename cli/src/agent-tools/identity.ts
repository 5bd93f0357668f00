import { readFileSync } from 'node:fs';

/** The user that the gateway's package makes. */
export const SERVICE_USER = 'gridtokenx';

/** Numbers of a user (passwd(5)); undefined when there is none of that name. */
export function lookUpUser(name: string, file = '/etc/passwd'): { uid: number; gid: number } | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    // A system without this file has no such user either.
    return undefined;
  }
  for (const line of text.split('\n')) {
    const [user, , uid, gid] = line.split(':');
    if (user === name) return { uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}
