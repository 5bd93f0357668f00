/**
 * The page's policy forbids making code from text. zod tries whether it may, which the browser reports as a violation; told
 * beforehand, it does not try. (zod documentation, "Configuration", `jitless`; its settings are shared under this name.)
 */
Object.assign(globalThis, { __zod_globalConfig: { jitless: true } });
