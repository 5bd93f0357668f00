import { z } from 'zod';
import { profileSchema } from './schema.js';

/** The JSON Schema (draft 2020-12) of a profile file; `profiles/profile.schema.json` holds it for editors. */
export function profileJsonSchema(): object {
  return z.toJSONSchema(profileSchema, { io: 'input' });
}
